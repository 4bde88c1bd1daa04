"""What a child is told: the shared protocol, the phase's instructions, the facts of this iteration, and what is new.

Every byte is paid for at every iteration, so the fixed part stays short and long additions go to a file that the
prompt names.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta
from pathlib import Path

from samoloop.base.values import frozen
from samoloop.config.workflow_files import fill
from samoloop.core import overview, signals
from samoloop.core.decision import Note
from samoloop.core.state import State

INLINE_BYTES = 1000  # what is longer goes to a file
_SHOWN = re.compile(r'^\{"status": "continue", "phase": "([\w-]+)"\}$', re.MULTILINE)


@frozen
class Place:
    """Where the child works, and what of that it is told."""

    session_dir: Path
    worktree: Path
    branch: str
    skills_dir: Path
    limit_seconds: float  # of one child
    in_place: bool = False  # in the person's own folder, without a branch
    change: Path | None = None  # a file that holds the whole change so far, where git cannot show it
    commits: bool = True  # the worker commits what a child leaves
    documents: Sequence[str] = ()  # the newest of each kind


@frozen
class Prompt:
    """The text, and the file of additions that it names (None where everything fits)."""

    text: str
    additions: str | None = None
    sections: Mapping[str, str] = field(default_factory=dict)  # what it is made of, in order


def build(
    place: Place,
    state: State,
    *,
    iteration: int,
    now: datetime,
    additions_file: Path,
    guidance: Sequence[str],
    parts: Sequence[str] = (),
    effort: str | None = None,
) -> Prompt:
    """The whole prompt of the next child. `guidance` is what a person said; `parts` are sections of rooms."""
    workflow = state.live_workflow
    phase = workflow.phase(state.phase)
    values = {
        "session_dir": str(place.session_dir),
        "worktree": str(place.worktree),
        "overview": str(place.session_dir / overview.FILE_NAME),
        "signal": str(place.session_dir / signals.FILE_NAME),
        "phase": phase.name,
        "iteration": str(iteration),
        "task_file": str(place.session_dir / overview.TASK_FILE),
        "branch": place.branch,
        "next_phases": ", ".join((phase.name, *workflow.next_phases(phase.name))),
        "next": workflow.after(phase.name) or "done",
        "leave": _leave(state),
        "example": _continue(phase.name) if _goes_on(state) else _leave(state),
        "code": _code(place),
        "change": _change(place, state),
        "lately": "`git status` and `git log --oneline -5`" if not place.in_place else "what lies in the folder",
        "today": f"{now:%m-%d-%H%M}",
        "skills_dir": str(place.skills_dir),
    }
    additions = _additions(state.notes, guidance)
    too_long = len(additions.encode()) > INLINE_BYTES
    news = additions
    if too_long:
        news = f"Read `{additions_file}` before you start: it says what is new since the last child."
    sections = {
        "protocol": _without_the_forbidden(fill(workflow.protocol, values).strip(), state),
        "phase": _without_the_forbidden(fill(phase.body, values).strip(), state),
        "facts": _facts(values, state, place, now, effort),
        "guidance and posture": "\n\n".join(filter(None, parts)),
        "news": f"## New for this iteration\n\n{news}" if news else "",
    }
    sections = {name: text for name, text in sections.items() if text}
    return Prompt("\n\n".join(sections.values()) + "\n", additions if too_long else None, sections)


def _continue(phase: str) -> str:
    return f'{{"status": "continue", "phase": "{phase}"}}'


def _leave(state: State) -> str:
    """The signal by which a child leaves its phase for the next one of the main order, or ends the session."""
    workflow = state.live_workflow
    following = workflow.after(state.phase)
    if following:
        return _continue(following)
    return f'{{"status": "done", "phase": "{state.phase}", "summary": "<one or two sentences>"}}'


def _goes_on(state: State) -> bool:
    """Whether the signal that a child might copy without thinking is to stay: not where that only costs a child."""
    return state.phase != state.live_workflow.last and state.phase in _allowed_now(state)


def _code(place: Place) -> str:
    """How code is kept here."""
    if place.in_place:
        return (
            "**Code** is in the person's own folder: no commit, no branch, no `git add`, whatever the phase says of "
            "commits. What you change stays there, trial files too: remove those."
        )
    kept = (
        "What you leave, the worker commits, trial files too"
        if place.commits
        else "What you leave stays, trial files too"
    )
    return (
        f"**Code** stays in the worktree: small commits on its branch, messages that say why. {kept}: remove those. "
        "If git may not write, leave the changes."
    )


def _change(place: Place, state: State) -> str:
    """Where a child finds all that the session has changed so far."""
    if place.change is not None:
        return f"`{place.change}`"
    return f"`git diff {(state.created.base or 'HEAD')[:12]}`"


def _facts(values: Mapping[str, str], state: State, place: Place, now: datetime, effort: str | None) -> str:
    workflow = state.live_workflow
    phase = workflow.phase(state.phase)
    base = (state.created.base or "")[:12]
    where = f"- Worktree, your working folder: `{values['worktree']}`, branch `{values['branch']}`"
    if place.in_place:
        where = f"- Your working folder: `{values['worktree']}`, the person's own, without a branch of the session"
    elif base:
        where += f", base commit `{base}`"
    until = now + timedelta(seconds=place.limit_seconds)
    lines = [
        f"- Session folder: `{values['session_dir']}`; the task in full: `{overview.TASK_FILE}` there",
        where,
        f"- Workflow `{workflow.name}`, phase `{phase.name}`, iteration {values['iteration']}; "
        f"{_count(state)} of at most {phase.max_iterations} in this phase",
        f"- It is {now:%H:%M}. You are ended at {until:%H:%M}: by then have signalled, with what stands",
        f"- Allowed next phases: {', '.join(_allowed_now(state)) or 'none'}",
        *_end(state, values["leave"]),
        *([f"- Effort {effort}: {_STRICTNESS[effort]}"] if effort in _STRICTNESS else ()),
    ]
    if place.documents:
        lines.append(f"- Newest documents: {', '.join(f'`{name}`' for name in place.documents)}")
    if phase.skills:
        named = ", ".join(f"`{name}/SKILL.md`" for name in phase.skills)
        lines.append(f"- Skills with depth, under `{place.skills_dir}`: {named}")
    return "## Facts\n\n" + "\n".join(lines)


def _count(state: State) -> int:
    """Which iteration of its phase the next child is."""
    phase = state.live_workflow.phase(state.phase)
    return min(state.phase_iterations + (0 if state.retry else 1), phase.max_iterations)


def _allowed_now(state: State) -> list[str]:
    """What a child may continue with at this moment: no further iteration of a phase at its limit, no way back that
    was gone often enough, and a gated phase is left only after its gate.
    """
    workflow = state.live_workflow
    phase = workflow.phase(state.phase)
    again = [phase.name] if _count(state) < phase.max_iterations else []
    used_up = state.rounds.get(phase.name, 0) >= workflow.rounds.get(phase.name, 0)
    others = [
        name for name in workflow.next_phases(phase.name) if not (used_up and workflow.is_backward(phase.name, name))
    ]
    if not _free(state):
        return [*again, *([f"(others only after {phase.gate})"] if others else [])]
    return [*again, *others]


def _without_the_forbidden(text: str, state: State) -> str:
    """A phase's instructions without the signals that are not allowed now, so that none can be copied."""
    now, before = _allowed_now(state), "" if _free(state) else f" before {state.live_workflow.phase(state.phase).gate}"
    return _SHOWN.sub(lambda match: match[0] if match[1] in now else f"({match[1]} is not allowed now{before})", text)


def _free(state: State) -> bool:
    """Whether no gate stands before the end of the phase."""
    return state.live_workflow.phase(state.phase).gate in (None, *state.passed)


def _end(state: State, leave: str) -> list[str]:
    """A word about the end in the last phase, which may be one whose instructions know others after it."""
    phase = state.live_workflow.phase(state.phase)
    if phase.name != state.live_workflow.last:
        return []
    gate = ""
    if phase.gate:
        passed = phase.gate in state.passed
        gate = f"its gate {phase.gate} is passed, finish what is left; " if passed else f"after its gate {phase.gate}, "
    return [f"- The session ends with this phase: {gate}where a later phase would follow, signal `{leave}`"]


# How strictly work is verified; the standard is what the phases themselves say.
_STRICTNESS = {
    "low": "the quickest check that could fail is enough",
    "high": "run the whole suite and try to break your result before you signal",
    "max": "run the whole suite, try to break your result, and show each claim in a second, independent way",
}


def _additions(notes: Sequence[Note], guidance: Sequence[str]) -> str:
    parts = [f"- {_LEADS.get(note.kind, '')}{note.text}{_fenced(note.words)}" for note in notes]
    parts += [f"- Guidance from the person, in their own words; follow it:{_fenced(words)}" for words in guidance]
    return "\n".join(parts).rstrip("\n")


def _fenced(words: str) -> str:
    """A person's words as a quotation, so that nothing in them can pass for a part of the prompt."""
    quoted = "\n".join(f"> {line}".rstrip() for line in words.strip().splitlines())
    return f"\n\n{quoted}\n" if quoted else ""


_LEADS = {
    "repair": "The last child's signal could not be used. Its work is kept: look, and where its action is done write "
    "only a correct signal. Exactly: ",
    "time_limit": "The last child did not finish. Exactly: ",
    "interrupted": "The last attempt at this action was interrupted; look at what is half done before you go on. ",
    "no_progress": "No progress so far: ",
    "git": "Git: ",
    "check": "A check failed: ",
}
