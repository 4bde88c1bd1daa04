"""`show`: what a person has to judge, in one go."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from samoloop.core import gates
from samoloop.core.session import Session
from samoloop.core.state import Condition
from samoloop.ui.cli.common import find_session, session_argument, terminal_columns
from samoloop.ui.terminal.output import say, say_in_pager
from samoloop.ui.terminal.paint import tone_of_change
from samoloop.ui.terminal.words import wrapped

Lines = Iterator[tuple[str, str]]  # each with its tone
_JUDGED = ("summary", "review", "testing", "result", "dive")  # documents that say what came of it
_TITLE = 76  # columns


@click.command("show")
@session_argument
@click.option("--report", is_flag=True, help="The report as it stands.")
@click.option("--plan", is_flag=True, help="The plan.")
@click.option("--documents", is_flag=True, help="All documents that its children wrote, oldest first.")
@click.option("--diff", is_flag=True, help="The code of the whole branch.")
def show(session_name: str | None, report: bool, plan: bool, documents: bool, diff: bool) -> None:
    """Show what is to be judged now: at a gate what is asked, else report, summary, review, tests and the code.

    \b
    samoloop show auth
    samoloop show auth --plan
    samoloop show auth --report --diff
    """
    session = find_session(session_name)
    given = {"report": report, "plan": plan, "documents": documents, "code": diff}
    chosen = [part for part, wanted in given.items() if wanted] or _to_judge(session)
    lines = [line for part in chosen for line in _PARTS[part](session)]
    if not lines:
        say(f"{session.name} has nothing of that yet; where it stands: samoloop status {session.name}")
        return
    say_in_pager(lines)


def _to_judge(session: Session) -> list[str]:
    """What a person looks at now."""
    gate = session.state().gate
    if gate is None:
        return ["report", "results", "plan", "code"]
    return ["plan"] if gates.to_read(gate, session.dir) else ["asked"]


def _asked(session: Session) -> Lines:
    gate = session.state().gate
    if gate:
        yield from _files([gates.answer_in(gate, session.dir, session.worktree)])


def _documents(session: Session) -> Lines:
    yield from _files(session.dir / name for name in session.documents())


def _results(session: Session) -> Lines:
    """The newest document of each kind that says what came of it; of a session at work none."""
    if session.state().condition is not Condition.RUNNING:
        of_kind = ([name for name in session.documents() if f"-{kind}-" in name] for kind in _JUDGED)
        yield from _files(session.dir / names[-1] for names in of_kind if names)


def _plan(session: Session) -> Lines:
    """The plan that a gate asks about, else the newest one."""
    gate = session.state().gate
    asked = gates.to_read(gate, session.dir) if gate else []
    yield from _files(asked or filter(None, [session.plan()]))


def _report(session: Session) -> Lines:
    from samoloop.api.reporting import report

    yield _title("report")
    yield from _text(report(session, os.environ))


def _files(paths: Iterable[Path]) -> Lines:
    for path in paths:
        text = gates.read_text(path)
        if text is not None:
            yield _title(str(path))
            yield from _text(text)


def _code(session: Session) -> Lines:
    from samoloop.api.changes import code

    for stat in (True, False):
        found = code(session, os.environ, stat=stat)
        if found.strip():
            yield _title("which files" if stat else "the code")
            for line in found.rstrip("\n").split("\n"):
                yield line, "plain" if stat else tone_of_change(line)
            yield "", "plain"


def _title(words: str) -> tuple[str, str]:
    return f"── {words} " + "─" * max(0, _TITLE - len(words)), "tool"


def _text(text: str) -> Iterable[tuple[str, str]]:
    for line in wrapped(text.rstrip("\n"), terminal_columns()):
        yield line, "strong" if line.startswith("#") else "plain"
    yield "", "plain"


_PARTS: dict[str, Callable[[Session], Lines]] = {
    "report": _report,
    "results": _results,
    "plan": _plan,
    "documents": _documents,
    "asked": _asked,
    "code": _code,
}
