"""What a child is told: the shared protocol, the phase's instructions, the facts of this iteration, and what is new.

Every byte is paid for at every iteration, so the fixed part stays short and long additions go to a file that the
prompt names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from samoloop.base.durations import format_seconds
from samoloop.config.workflow_files import fill
from samoloop.core import overview, signals
from samoloop.core.decision import Note
from samoloop.core.state import State

INLINE_BYTES = 1000  # what is longer goes to a file


@dataclass(frozen=True)
class Place:
    """The folders that a prompt names."""

    session_dir: Path
    worktree: Path
    branch: str
    skills_dir: Path
    limit_seconds: float  # of one child


@dataclass(frozen=True)
class Prompt:
    """The text, and the file of additions that it names (None where everything fits)."""

    text: str
    additions: str | None = None


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
    allowed = (phase.name, *workflow.next_phases(phase.name))
    values = {
        "session_dir": str(place.session_dir),
        "worktree": str(place.worktree),
        "overview": str(place.session_dir / overview.FILE_NAME),
        "signal": str(place.session_dir / signals.FILE_NAME),
        "phase": phase.name,
        "iteration": str(iteration),
        "task_file": str(place.session_dir / overview.TASK_FILE),
        "branch": place.branch,
        "next_phases": ", ".join(allowed),
        "today": f"{now:%m-%d-%H%M}",
        "skills_dir": str(place.skills_dir),
    }
    facts = _facts(values, state, allowed, place, effort)
    sections = [fill(workflow.protocol, values).strip(), fill(phase.body, values).strip(), facts, *filter(None, parts)]
    additions = _additions(state.notes, guidance)
    too_long = len(additions.encode()) > INLINE_BYTES
    if too_long:
        sections.append(
            "## New for this iteration\n\n"
            f"Read `{additions_file}` before you start: it says what is new since the last child."
        )
    elif additions:
        sections.append(f"## New for this iteration\n\n{additions}")
    return Prompt("\n\n".join(sections) + "\n", additions if too_long else None)


def _facts(values: Mapping[str, str], state: State, allowed: Sequence[str], place: Place, effort: str | None) -> str:
    workflow = state.live_workflow
    phase = workflow.phase(state.phase)
    count = min(state.phase_iterations + (0 if state.retry else 1), phase.max_iterations)
    base = (state.created.base or "")[:12]
    lines = [
        f"- Session folder: `{values['session_dir']}`; the task in full: `{overview.TASK_FILE}` there",
        f"- Worktree, your working folder: `{values['worktree']}`, branch `{values['branch']}`"
        + (f", base commit `{base}`" if base else ""),
        f"- Workflow `{workflow.name}`, phase `{phase.name}`, iteration {values['iteration']}; "
        f"{count} of at most {phase.max_iterations} in this phase, {format_seconds(place.limit_seconds)} each",
        f"- Allowed next phases: {', '.join(_allowed_now(state, allowed))}",
        *_end(state),
        *([f"- Effort {effort}: {_STRICTNESS[effort]}"] if effort in _STRICTNESS else ()),
    ]
    if phase.skills:
        named = ", ".join(f"`{name}/SKILL.md`" for name in phase.skills)
        lines.append(f"- Skills with depth, under `{place.skills_dir}`: {named}")
    return "## Facts\n\n" + "\n".join(lines)


def _allowed_now(state: State, allowed: Sequence[str]) -> list[str]:
    """What a child may continue with at this moment: a gated phase is left only after its gate."""
    phase = state.live_workflow.phase(state.phase)
    if phase.gate and phase.gate not in state.passed:
        return [phase.name, f"(others only after {phase.gate})"] if len(allowed) > 1 else [phase.name]
    return list(allowed)


def _end(state: State) -> list[str]:
    """A word about the end in the last phase, which may be one whose instructions know others after it."""
    phase = state.live_workflow.phase(state.phase)
    if phase.name != state.live_workflow.last:
        return []
    gate = ""
    if phase.gate:
        passed = phase.gate in state.passed
        gate = f"its gate {phase.gate} is passed, finish what is left; " if passed else f"after its gate {phase.gate}, "
    signal = f'{{"status": "done", "phase": "{phase.name}", "summary": "<one or two sentences>"}}'
    return [f"- The session ends with this phase: {gate}where a later phase would follow, signal `{signal}`"]


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
    "repair": "The last child's signal could not be used; write a correct one. Exactly: ",
    "time_limit": "The last child did not finish. Exactly: ",
    "interrupted": "The last attempt at this action was interrupted; look at what is half done before you go on. ",
    "no_progress": "No progress so far: ",
    "git": "Git: ",
    "check": "A check failed: ",
}
