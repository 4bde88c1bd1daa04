"""Commands that close a gate. Each is the same change of a file that an editor would make."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from samoloop.base.errors import SessionError, UsageError
from samoloop.config.project import sessions_folder
from samoloop.core import gates, hearing, opening, words
from samoloop.core.gates import Act, Closing, Gate, StillOpen, Verdict
from samoloop.core.session import Session, names_one, resolve, sound_sessions
from samoloop.core.signals import GateKind
from samoloop.core.state import Condition, State
from samoloop.ui.cli import complete
from samoloop.ui.cli.common import (
    find_session,
    for_people_only,
    is_terminal,
    json_option,
    project_root,
    say_wrapped,
    session_argument,
    session_here,
    speaker,
)
from samoloop.ui.cli.fleet_copies import give_on_later, renew_copies
from samoloop.ui.cli.follows import say_what_follows, stands
from samoloop.ui.terminal.output import say, say_json

PLAN = (Verdict.APPROVE, Verdict.CHANGES, Verdict.REJECT)
SHORTEST_SHA = 6
_ACTS = (Verdict.DONE, Verdict.DECLINED)  # words that `answer` takes where something is to be done by hand
_INTERRUPTED = 130


def _find(name: str | None, *verdicts: Verdict) -> tuple[Session, Gate]:
    """The session whose open gate can be closed so. Refuses inside a child, and elsewhere with what there is to do."""
    for_people_only()
    folder = sessions_folder(project_root(), os.environ)
    name = name or session_here(folder)
    renew_copies(folder, name)
    if name is not None:
        session = resolve(folder, name)
    else:
        session = _only_one(folder, lambda state: gates.takes(state.gate, *verdicts), _sought(verdicts))
    give_on_later(session)
    gate = opening.ready_gate(session)
    if gate is None or not gates.takes(gate, *verdicts):
        raise SessionError(f"{session.name} does not wait for {_sought(verdicts)}: {stands(session)}")
    if isinstance(gates.examine(gate, session.dir, session.worktree), Closing):
        raise SessionError(f"{session.name} was told already: {stands(session)}; --replace decides anew")
    return session, gate


def _only_one(folder: Path, wanted: Callable[[State], bool], sought: str) -> Session:
    """The only session that fits. Raises SessionError that says how the others stand."""
    if any(wanted(session.state()) for session in sound_sessions(folder)):
        return resolve(folder, None, wanted)
    unfinished = [session for session in sound_sessions(folder) if session.state().condition is not Condition.DONE]
    others = "; ".join(f"{session.name}: {stands(session)}" for session in unfinished[:5])
    raise SessionError(f"no session waits for {sought}: {others or f'there is none at work in {folder}'}")


def _sought(verdicts: Sequence[Verdict]) -> str:
    """What a command would close."""
    kinds = [kind for kind in GateKind if any(verdict in gates.behaviour(kind).VERDICTS for verdict in verdicts)]
    return " or ".join(words.GATES[kind].closes for kind in kinds)


@click.command("questions")
@session_argument
@json_option
def questions_(session_name: str | None, as_json: bool) -> None:
    """Show the questions of a session, the waiting ones first; at a plan's gate the plan.

    \b
    samoloop questions auth
    """
    folder = sessions_folder(project_root(), os.environ)
    session_name = session_name or session_here(folder)
    renew_copies(folder, session_name)
    asks = [one for one in sound_sessions(folder) if (gate := one.state().gate) and gate.questions]
    session = asks[0] if session_name is None and len(asks) == 1 else resolve(folder, session_name)
    gate = session.state().gate
    waiting = {question.id for question in gates.waiting_questions(session.dir, gate)}
    found = sorted(gates.read_questions(session.dir), key=lambda question: bool(question.answer))
    if as_json:
        keys = ("id", "title", "why", "suggestion", "answer", "by")
        rows = [
            {key: getattr(q, key) for key in keys} | {"options": dict(q.options), "waits": q.id in waiting}
            for q in found
        ]
        say_json(rows)
        return
    for path in gates.to_read(gate, session.dir) if gate else ():
        say(gates.read_text(path) or "")
        say(f"({path})\n")
    if not found:
        say(f"{session.name} has asked nothing yet.")
    for question in found:
        say_wrapped(f"{question.id}: {question.title}", "plain" if question.answer else "strong")
        for line in (question.why, *(f"  {letter}) {option}" for letter, option in question.options)):
            if line:
                say_wrapped(f"  {line}")
        if question.answer:
            say_wrapped(f"  Answer: {question.answer}" + (f" (by {question.by})" if question.by else ""))
        elif question.suggestion:
            say_wrapped(f"  Suggestion: {question.suggestion}")
    if waiting:
        examples = " ".join(f"{q.id}={q.options[0][0] if q.options else 'words'}" for q in found if q.id in waiting)
        say(f"\nAnswer: samoloop answer {session.name} {examples}")
    else:
        say_wrapped(f"\nNothing waits for an answer: {stands(session)}")


replace_option = click.option(
    "--replace", is_flag=True, help="In place of what was decided, as long as no child has acted on it."
)


def _decide_again(name: str | None, what: Act) -> int:
    """Take back what was decided last, and decide it so."""
    from samoloop.api.rewind import decide_again

    for_people_only()
    session = find_session(name)
    decide_again(session, what, os.environ)
    session.forget()
    gate = session.state().gate
    if gate:
        _say_decided(session, gate)
    return 0


def _say_decided(session: Session, gate: Gate) -> None:
    found = gates.examine(gate, session.dir, session.worktree)
    if isinstance(found, Closing):
        said = words.closed(gate, found)
        say(f"{said[0].upper()}{said[1:]}.")
        say_what_follows(session)
    elif isinstance(found, StillOpen) and found.left:
        say(f"Still to answer: {', '.join(found.left)}.")


@click.command("answer")
@click.argument(
    "said", nargs=-1, metavar="[SESSION] Q1=A Q2='words' | done | declined WHY", shell_complete=complete.answers
)
@click.option("--suggested", is_flag=True, help="Take the suggestion of every question that waits.")
@replace_option
def answer(said: tuple[str, ...], suggested: bool, replace: bool) -> int:
    """Answer questions, or say that what a child asked for is done, or why you decline it. On a terminal it asks for
    what is not given.

    \b
    samoloop answer
    samoloop answer auth Q1=A Q2="only for admins"
    samoloop answer auth --suggested
    samoloop answer auth done
    samoloop answer auth declined "the card reader is broken"
    samoloop answer auth --replace Q1=B
    """
    name, given = _split(said)
    if not given and not suggested and not replace and is_terminal():
        return _ask(*_find(name, *Verdict))
    if given and given[0].lower() in _ACTS:
        verdict = Verdict(given[0].lower())
        what = Act(verdict, speaker(), " ".join(given[1:]))
        if replace:
            return _decide_again(name, what)
        session, gate = _find(name, verdict)
        gates.act(session.dir, gate, what)
        say(f"Told {session.name} that it is {verdict}.")
    else:
        pairs = _pairs(given)
        if replace:
            if not pairs or suggested:
                raise UsageError("--replace needs the answers that are to stand: samoloop answer --replace Q1=B")
            return _decide_again(name, Act(Verdict.ANSWERED, speaker(), answers=pairs))
        session, gate = _find(name, Verdict.ANSWERED)
        answers = {**(gates.suggested(session.dir, gate) if suggested else {}), **pairs}
        if not answers:
            left = ", ".join(question.id for question in gates.waiting_questions(session.dir, gate))
            if not left:
                raise SessionError(f"{session.name} has all its answers: {stands(session)}")
            raise UsageError(f"give an answer for {left}: {left.partition(',')[0]}=A, or --suggested")
        still = gates.answer(session.dir, gate, answers, speaker())
        say(f"Answered {', '.join(answers)}." + (f" Still to answer: {', '.join(still)}." if still else ""))
    say_what_follows(session)
    return 0


def _ask(session: Session, gate: Gate) -> int:
    """Ask here for what the gate waits for, as a worker at this terminal would."""
    from samoloop.ui.terminal.asking import ask_now

    say(f"{session.name}: {gate.phase} waits for {words.waits_for(gate)}")
    stays = ask_now(session, gate, speaker("terminal"))
    _say_decided(session, gate)
    return 0 if stays else _INTERRUPTED


def _split(said: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """The session's name, where the first word is one, and the rest."""
    if said and "=" not in said[0] and said[0].lower() not in _ACTS:
        return said[0], list(said[1:])
    return None, list(said)


def _pairs(said: list[str]) -> dict[str, str]:
    pairs = {}
    for word in said:
        id, separator, text = word.partition("=")
        if not separator:
            raise UsageError(f"an answer is written Q1=A or Q1='words', got {word!r}")
        pairs[id.strip().upper()] = text
    return pairs


@click.command("approve")
@session_argument
@click.option("--sha", help="Approve only if the plan's SHA-256 begins so: the text that you read.")
@click.option("-m", "--message", default="", help="A word for the next child.")
@replace_option
def approve(session_name: str | None, sha: str | None, message: str, replace: bool) -> int:
    """Approve the plan of a session. On a terminal, without a name, it shows the plan and asks for your decision.

    \b
    samoloop approve
    samoloop approve auth
    """
    if replace and not sha:
        return _decide_again(session_name, Act(Verdict.APPROVE, speaker(), message))
    if not (session_name or sha or message) and is_terminal():
        return _ask(*_find(None, *PLAN))
    if sha is not None and not re.fullmatch(f"[0-9a-fA-F]{{{SHORTEST_SHA},64}}", sha):
        raise UsageError(f"--sha takes the first {SHORTEST_SHA} or more hexadecimal digits of the plan, got {sha!r}")
    session, gate = _find(session_name, *PLAN)
    present = gates.file_hash(session.dir / (gate.file or "")) or ""
    if sha and not present.startswith(sha.lower()):
        raise SessionError(
            f"the plan is not the text you read: it is now {present[:12]}…, you gave {sha[:12]}; read it again"
        )
    gates.decide_plan(session.dir, gate, Verdict.APPROVE, speaker(), comment=message, shown=present)
    say(f"Approved {gate.file} ({present[:12]}…) of {session.name}.")
    if gate.sha256 and present != gate.sha256:
        say(f"It has changed since the gate opened: it was {gate.sha256[:12]}… then.")
    if message and hearing.ends_with_gate(session.state()):
        say("No child follows now: your words stand in the report, and reach the one that carries the plan out.")
    say_what_follows(session)
    return 0


@click.command("changes")
@session_argument
@click.option("-m", "--message", required=True, help="What should change.")
@replace_option
def changes(session_name: str | None, message: str, replace: bool) -> int:
    """Send the plan back to planning with a comment.

    \b
    samoloop changes auth -m "No new dependency, please."
    samoloop changes auth --replace -m "On second thoughts: no new dependency."
    """
    if replace:
        return _decide_again(session_name, Act(Verdict.CHANGES, speaker(), message))
    session, gate = _find(session_name, *PLAN)
    gates.decide_plan(session.dir, gate, Verdict.CHANGES, speaker(), comment=message)
    say(f"Asked {session.name} for changes in {gate.file}.")
    say_what_follows(session)
    return 0


@click.command("reject")
@session_argument
@click.option("-m", "--message", default="", help="Why.")
@replace_option
def reject(session_name: str | None, message: str, replace: bool) -> int:
    """Reject the plan and stop the session; resume starts planning anew.

    \b
    samoloop reject auth -m "Not worth it."
    """
    if replace:
        return _decide_again(session_name, Act(Verdict.REJECT, speaker(), message))
    session, gate = _find(session_name, *PLAN)
    gates.decide_plan(session.dir, gate, Verdict.REJECT, speaker(), comment=message)
    say(f"Rejected {gate.file} of {session.name}.")
    say_what_follows(session)
    return 0


@click.command("tell")
@click.argument("said", nargs=-1, required=True, metavar='[SESSION] "GUIDANCE"', shell_complete=complete.sessions)
def tell(said: tuple[str, ...]) -> None:
    """Give guidance: the next child is told, and later ones find it in _guidance.md.

    \b
    samoloop tell auth "Use sqlite, not postgres."
    """
    for_people_only()
    if len(said) > 2:
        raise UsageError('put the guidance in quotes: samoloop tell SESSION "..."')
    name = said[0] if len(said) == 2 else None
    if name is None and names_one(sessions_folder(project_root(), os.environ), said[0]):
        raise UsageError(f'say what the next child should know: samoloop tell {said[0]} "..."')
    session = find_session(name, lambda state: state.condition is not Condition.DONE)
    hearing.tell(session, said[-1], speaker())
    say(f"The next child of {session.name} will read it.")
    say_what_follows(session)
