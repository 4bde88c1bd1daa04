"""Whether a session did what its example asks for: the project's own tests, the receipts, a look at what changed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from samoloop.api import evidence
from samoloop.base.values import frozen
from samoloop.core.session import Session
from samoloop.demo.commands import run
from samoloop.demo.examples import Example
from samoloop.git.calls import environment, execute, failure


@frozen
class Judgement:
    """One thing that was looked at."""

    ok: bool
    words: str


def judge(example: Example, session: Session) -> list[Judgement]:
    """Everything that the example expects, looked at in the session's worktree and folder."""
    worktree, base = session.worktree, str(session.state().created.base)
    ran = run(example.test, worktree, os.environ)
    return [
        Judgement(ran.ok, f"{ran.command}: exit {ran.exit_code}, {ran.verdict}"),
        *_receipts(example, session),
        *_judge_files(example, worktree, base),
        *_documents(example, session),
        *_places(example, session),
    ]


def _receipts(example: Example, session: Session) -> Iterator[Judgement]:
    """What would be merged is what the worker checked, if there is anything to merge."""
    if not example.expected.unchanged:
        found = evidence.look(session, os.environ)
        yield Judgement(found.checked, f"evidence: {found.sentence}")


def _judge_files(example: Example, worktree: Path, base: str) -> Iterator[Judgement]:
    expected = example.expected
    for path in expected.present:
        yield Judgement((worktree / path).exists(), f"{path} is there")
    for path in expected.absent:
        yield Judgement(not (worktree / path).exists(), f"{path} is gone")
    if expected.kept:
        touched = _differing(worktree, base, "--diff-filter=MDRT", "--", *expected.kept)
        yield Judgement(not touched, f"the files of {', '.join(expected.kept)} are as they were{_named(touched)}")
    for path in expected.changed:
        yield Judgement(bool(_differing(worktree, base, "--", path)), f"{path} was changed")
    if expected.unchanged:
        touched = _differing(worktree, base)
        yield Judgement(not touched, f"no file was changed{_named(touched)}")
    for pattern, most in (expected.lines or {}).items():
        counts = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in worktree.glob(pattern)}
        long = [path.name for path, count in counts.items() if count > most]
        yield Judgement(bool(counts) and not long, f"no file of {pattern} has over {most} lines{_named(long)}")


def _documents(example: Example, session: Session) -> Iterator[Judgement]:
    for kind in example.expected.documents:
        found = sorted(path.name for path in session.dir.glob(f"??-??-????-{kind}-*.md"))
        yield Judgement(bool(found), f"a document of the kind {kind} is there{_named(found)}")


def _places(example: Example, session: Session) -> Iterator[Judgement]:
    """The places that a document names are there: it was written by someone who looked."""
    for kind in example.expected.quoted:
        texts = [path.read_text(encoding="utf-8") for path in session.dir.glob(f"??-??-????-{kind}-*.md")]
        places = [(path, int(line)) for text in texts for path, line in re.findall(r"`([\w./-]+):(\d+)`", text)]
        wrong = [f"{path}:{line}" for path, line in places if not _has_line(session.worktree / path, line)]
        yield Judgement(
            bool(places) and not wrong, f"{len(places)} places named in the {kind} are there{_named(wrong)}"
        )


def _has_line(path: Path, line: int) -> bool:
    return path.is_file() and 1 <= line <= len(path.read_text(encoding="utf-8", errors="replace").splitlines())


def _differing(worktree: Path, base: str, *options: str) -> list[str]:
    arguments = ("diff", "--name-only", "--no-renames", base, *options)
    done = execute(arguments, cwd=worktree, environ=environment())
    if done.returncode:
        raise failure(arguments, done, worktree)
    return done.stdout.decode("utf-8", "replace").split("\n")[:-1]


def _named(names: list[str]) -> str:
    return f" ({', '.join(names[:5])})" if names else ""
