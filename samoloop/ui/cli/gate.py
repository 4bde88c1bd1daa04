"""Commands that close a gate. Each is the same change of a file that an editor would make."""

import json
import os
from pathlib import Path

import click

from samoloop.base.errors import SessionError, UsageError
from samoloop.base.locks import is_held
from samoloop.core import gates
from samoloop.core.gates import Gate, Verdict
from samoloop.core.session import LOCK, Session, find
from samoloop.core.signals import GateKind
from samoloop.core.state import Condition
from samoloop.ui.cli.common import find_session, json_option, session_argument, speaker


def _find(name: str | None, *kinds: GateKind) -> tuple[Session, Gate]:
    """The session that waits at one of these gates. Refuses inside a child."""
    gates.refuse_inside_child(os.environ)
    session = find_session(name, lambda state: state.gate is not None and state.gate.kind in kinds)
    gate = session.state().gate
    if gate is None or gate.kind not in kinds:
        what = f"it waits for {gate.kind}" if gate else f"it is {session.state().condition}"
        raise SessionError(f"{session.name} does not wait for {' or '.join(kinds)}: {what}")
    return session, gate


def _say_what_follows(session: Session) -> None:
    """Without a worker nothing happens by itself: name the command that goes on."""
    if not is_held(session.dir / LOCK):
        click.echo(f"No worker is running; go on with: samoloop resume {session.name}")


@click.command("questions")
@session_argument
@json_option
def questions_(session_name: str | None, as_json: bool) -> None:
    """Show the questions of a session, the waiting ones first.

    \b
    samoloop questions auth
    """
    session = find_session(session_name, lambda state: state.gate is not None)
    gate = session.state().gate
    waiting = set(gate.questions) if gate else set()
    found = sorted(gates.read_questions(session.dir), key=lambda question: bool(question.answer))
    if as_json:
        keys = ("id", "title", "why", "suggestion", "answer", "by")
        rows = [
            {key: getattr(q, key) for key in keys} | {"options": dict(q.options), "waits": q.id in waiting}
            for q in found
        ]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo(f"{session.name} has asked nothing yet.")
    for question in found:
        click.echo(click.style(f"{question.id}: {question.title}", bold=not question.answer))
        for line in (question.why, *(f"  {letter}) {words}" for letter, words in question.options)):
            if line:
                click.echo(f"  {line}")
        if question.answer:
            click.echo(f"  Answer: {question.answer}" + (f" (by {question.by})" if question.by else ""))
        elif question.suggestion:
            click.echo(f"  Suggestion: {question.suggestion}")
    if waiting:
        examples = " ".join(f"{q.id}={q.options[0][0] if q.options else 'words'}" for q in found if not q.answer)
        click.echo(f"\nAnswer: samoloop answer {session.name} {examples}".rstrip())


@click.command("answer")
@click.argument("words", nargs=-1, metavar="[SESSION] Q1=A Q2='words' | done")
@click.option("--suggested", is_flag=True, help="Take the suggestion of every question that waits.")
def answer(words: tuple[str, ...], suggested: bool) -> None:
    """Answer questions, or say that what a child asked for is done.

    \b
    samoloop answer auth Q1=A Q2="only for admins"
    samoloop answer auth --suggested
    samoloop answer auth done
    """
    name, given = _split(words)
    if given == ["done"] or (given and given[0] == "done"):
        session, gate = _find(name, GateKind.HUMAN_ACTION)
        gates.confirm_action(session.dir, gate, speaker(), " ".join(given[1:]) or "yes")
        click.echo(f"Told {session.name} that it is done.")
    else:
        session, gate = _find(name, GateKind.QA_ANSWERS)
        answers = _pairs(given) | (gates.suggested(session.dir, gate) if suggested else {})
        if not answers:
            raise UsageError(f"give an answer for {', '.join(gate.questions)}: Q1=A, or --suggested")
        left = gates.answer(session.dir, gate, answers, speaker())
        click.echo(f"Answered {', '.join(answers)}." + (f" Still to answer: {', '.join(left)}." if left else ""))
    _say_what_follows(session)


def _split(words: tuple[str, ...]) -> tuple[str | None, list[str]]:
    """The session's name, where the first word is one, and the rest."""
    if words and "=" not in words[0] and words[0] != "done":
        return words[0], list(words[1:])
    return None, list(words)


def _pairs(words: list[str]) -> dict[str, str]:
    pairs = {}
    for word in words:
        id, separator, text = word.partition("=")
        if not separator:
            raise UsageError(f"an answer is written Q1=A or Q1='words', got {word!r}")
        pairs[id.strip().upper()] = text
    return pairs


@click.command("approve")
@session_argument
@click.option("--sha", help="Approve only if the plan's SHA-256 begins so: the text that you read.")
@click.option("-m", "--message", default="", help="A word for the next child.")
def approve(session_name: str | None, sha: str | None, message: str) -> None:
    """Approve the plan of a session.

    \b
    samoloop approve auth
    """
    session, gate = _find(session_name, GateKind.PLAN_APPROVAL)
    present = gates.file_hash(session.dir / (gate.file or "")) or ""
    if sha and not present.startswith(sha.lower()):
        raise SessionError(
            f"the plan is not the text you read: it is now {present[:12]}…, you gave {sha[:12]}; read it again"
        )
    gates.decide_plan(session.dir, gate, Verdict.APPROVE, speaker(), comment=message, shown=present)
    click.echo(f"Approved {gate.file} ({present[:12]}…) of {session.name}.")
    _say_what_follows(session)


@click.command("changes")
@session_argument
@click.option("-m", "--message", required=True, help="What should change.")
def changes(session_name: str | None, message: str) -> None:
    """Send the plan back to planning with a comment.

    \b
    samoloop changes auth -m "No new dependency, please."
    """
    session, gate = _find(session_name, GateKind.PLAN_APPROVAL)
    gates.decide_plan(session.dir, gate, Verdict.CHANGES, speaker(), comment=message)
    click.echo(f"Asked {session.name} for changes in {gate.file}.")
    _say_what_follows(session)


@click.command("reject")
@session_argument
@click.option("-m", "--message", default="", help="Why.")
def reject(session_name: str | None, message: str) -> None:
    """Reject the plan and stop the session; resume starts planning anew.

    \b
    samoloop reject auth -m "Not worth it."
    """
    session, gate = _find(session_name, GateKind.PLAN_APPROVAL)
    gates.decide_plan(session.dir, gate, Verdict.REJECT, speaker(), comment=message)
    click.echo(f"Rejected {gate.file} of {session.name}.")
    _say_what_follows(session)


@click.command("tell")
@click.argument("words", nargs=-1, required=True, metavar='[SESSION] "GUIDANCE"')
def tell(words: tuple[str, ...]) -> None:
    """Give guidance to the next child; delivered once.

    \b
    samoloop tell auth "Use sqlite, not postgres."
    """
    gates.refuse_inside_child(os.environ)
    if len(words) > 2:
        raise UsageError('put the guidance in quotes: samoloop tell SESSION "..."')
    name = words[0] if len(words) == 2 else None
    session = find_session(name, lambda state: state.condition is not Condition.DONE)
    if name is None and _is_session(session.dir.parent, words[0]):
        raise UsageError(f'say what the next child should know: samoloop tell {words[0]} "..."')
    gates.tell(session.dir, words[-1], speaker())
    click.echo(f"The next child of {session.name} will read it.")
    _say_what_follows(session)


def _is_session(sessions: Path, word: str) -> bool:
    try:
        return find(sessions, word) is not None
    except UsageError:  # no name at all
        return False
