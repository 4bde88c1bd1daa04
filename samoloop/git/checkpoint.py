"""Checkpoints: one commit per iteration on a ref of the session's own, with the session folder as its tree.

Parents are the previous checkpoint and a snapshot of the code, so `git log --first-parent` on the ref is the session's
timeline and nothing that it reaches is ever collected. Everything is plumbing on objects and one ref: no index, stash
or hook of the person takes part.
"""

import hashlib
import io
import os
import re
import stat
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from samoloop.base.errors import GitError
from samoloop.base.files import read_plain, remove, sha256
from samoloop.base.values import frozen
from samoloop.git.calls import Git, failure
from samoloop.git.objects import Objects
from samoloop.git.session_files import session_files
from samoloop.git.staging import LIMIT_BYTES
from samoloop.git.worktree import Snapshot, Worktree

_ROOT_MESSAGE = b"The session begins\n"  # the ref's first commit: no code behind it, so the timeline ends there
# Written by the worker or by people, or at every iteration, so no sign of a child's progress.
_NO_PROGRESS = frozenset(
    {"_approval.md", "_action.md", "_flow.md", "_guidance.md", "_inbox.md", "_overview.md", "_report.md", "_task.md"}
)
# NUL after every field, and with -z after the last as well.
_FORMAT = "--format=%H%x00%T%x00%P%x00%ct%x00%s" + "".join(
    f"%x00%(trailers:key={key},valueonly,separator=%x2C)" for key in ("Iteration", "Attempt", "Head", "Journal")
)
_FIELD_COUNT = 9
_JOURNAL = re.compile(r"\d{1,15} \d{1,15} [0-9a-f]{16}")
_DIGITS = 16  # of the hash over the journal
# What git allows in no ref name (git help check-ref-format), and the percent sign that stands for it here.
_NOT_IN_REFS = re.compile(r"[\x00-\x20\x7f~^:?*\[\\%]|\.\.|@\{|^\.|\.$|\.(?=lock$)|^@$|/")


@frozen
class Checkpoint:
    """The session at the end of one iteration."""

    oid: str
    tree: str  # the session folder
    code: str  # commit of the worktree's content
    head: str  # the commit the branch was on: `code`, or its parent where work was uncommitted
    summary: str
    iteration: int | None = None  # None: a rewind or another step of the worker
    attempt: int | None = None
    seconds: float = 0.0  # when, since the epoch
    journal: str = ""  # what of the journal it holds: the first byte, the length of the journal then, a hash over that
    first: bool = False  # just made, with nothing before it: the session is new, or its ref was deleted


@frozen
class Part:
    """A journal, of which earlier checkpoints hold the start."""

    content: bytes  # all of it
    kept: int = 0  # bytes that checkpoints hold
    line: bytes = b""  # what is written to it next


def ref_name(session: str) -> str:
    """The ref of a session, by the name of its folder; what git allows in no ref is percent-encoded."""

    def encode(match: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in os.fsencode(match[0]))

    return "refs/samoloop/sessions/" + _NOT_IN_REFS.sub(encode, session)


def make(
    worktree: Worktree,
    session_dir: Path,
    ref: str,
    code: Snapshot,
    *,
    summary: str,
    journal: Part | None = None,
    iteration: int | None = None,
    attempt: int | None = None,
) -> Checkpoint:
    """Put the session folder and the code on top of the timeline.

    What of the `journal` no checkpoint holds yet goes byte for byte into the message. Raises GitError, also where
    another process moved the ref meanwhile.
    """
    tree = session_tree(worktree.objects(code.commit), session_dir, worktree.left_out)
    trailers = {"Iteration": iteration, "Attempt": attempt, "Head": None if code.head == code.commit else code.head}
    return put(worktree, ref, tree, code.commit, summary, trailers, journal)


def put(
    worktree: Worktree,
    ref: str,
    tree: str,
    code: str,
    summary: str,
    trailers: dict[str, str | int | None],
    journal: Part | None = None,
) -> Checkpoint:
    """A commit of `tree` on top of the timeline, with `code` as its second parent. Raises GitError."""
    objects = worktree.objects(code)
    previous = worktree.store.ref(ref)
    base = previous or objects.commit(tree, [], _ROOT_MESSAGE)
    lines = b""
    if journal:
        start = min(journal.kept, len(journal.content)) if previous else 0
        lines = journal.content[start:] + journal.line
        trailers = trailers | {"Journal": f"{start} {len(journal.content)} {sha256(journal.content)[:_DIGITS]}"}
    named = "".join(f"{key}: {value}\n" for key, value in trailers.items() if value is not None)
    paragraphs = [" ".join(summary.split()).encode(errors="replace"), lines.rstrip(b"\n"), named.encode().rstrip()]
    message = b"\n\n".join(part for part in paragraphs if part) + b"\n"
    oid = objects.commit(tree, [base, code], message)
    _move(worktree.store, ref, oid, previous)
    return Checkpoint(
        oid=oid,
        tree=tree,
        code=code,
        head=str(trailers.get("Head") or code),
        summary=" ".join(summary.split()),
        iteration=_number(trailers.get("Iteration")),
        attempt=_number(trailers.get("Attempt")),
        seconds=time.time(),
        journal=str(trailers.get("Journal") or ""),
        first=previous is None,
    )


def _move(store: Git, ref: str, oid: str, previous: str | None) -> None:
    """Only the holder of the session's lock moves its ref, so a lock file that outlasts git's own patience (100 ms)
    is a dead git's."""
    done = store.call("update-ref", ref, oid, previous or "")
    if done.returncode == 0:
        return
    remove(store.git_dir / f"{ref}.lock")
    store.run("update-ref", ref, oid, previous or "")


def session_tree(objects: Objects, session_dir: Path, left_out: Collection[str] = ()) -> str:
    """The session's own files but for `left_out` as a tree, their bytes as they are."""
    files = []
    for path, found in session_files(session_dir):
        if path in left_out or (content := _content(session_dir / path)) is None:
            continue
        mode = 0o100755 if found.st_mode & stat.S_IXUSR else 0o100644
        files.append((path, mode, objects.blob(content)))
    return objects.tree(files)


def tip(store: Git, ref: str) -> Checkpoint | None:
    """The newest checkpoint. A restarted worker skips `make` where it names the iteration and attempt at hand."""
    newest = _log(store, ref, "-1")
    return newest[0] if newest else None


def timeline(store: Git, ref: str) -> list[Checkpoint]:
    """All checkpoints, newest first."""
    return _log(store, ref)


def find(store: Git, ref: str, iteration: int) -> Checkpoint:
    """The last checkpoint of an iteration. Raises GitError with the iterations there are."""
    known = timeline(store, ref)
    for checkpoint in known:
        if checkpoint.iteration == iteration:
            return checkpoint
    numbers = sorted({c.iteration for c in known if c.iteration is not None})
    there = f"there are {numbers[0]} to {numbers[-1]}" if numbers else "there are none yet"
    raise GitError(f"There is no checkpoint of iteration {iteration}: {there}.")


def read(store: Git, ref: str, name: str) -> bytes | None:
    """A session file as the newest checkpoint has it; None where it has none."""
    done = store.call("cat-file", "blob", f"{ref}:{name}")
    return None if done.returncode else done.stdout


def versions(store: Git, ref: str, name: str) -> Iterator[bytes]:
    """A session file as the checkpoints have it, each text once, oldest first."""
    done = store.call("log", "--first-parent", "--reverse", "--format=%H", ref, "--", f":(top,literal){name}")
    for oid in done.stdout.decode().split() if not done.returncode else ():
        content = store.call("cat-file", "blob", f"{oid}:{name}")
        if not content.returncode:
            yield content.stdout


def changing(store: Git, ref: str, name: str) -> list[Checkpoint]:
    """Those with which a session file became another, newest first."""
    return _log(store, ref, path=f":(top,literal){name}")


def kept_bytes(last: Checkpoint | None) -> int:
    """How much of the journal the checkpoints hold up to `last`, but for lines that may not have been written."""
    return int(last.journal.split()[1]) if last and _JOURNAL.fullmatch(last.journal) else 0


def is_shorter(journal: bytes, last: Checkpoint) -> bool:
    """Whether a journal lacks or has otherwise what it held when `last` was made."""
    length = kept_bytes(last)
    return bool(length) and sha256(journal[:length])[:_DIGITS] != last.journal.split()[2]


def journal(store: Git, ref: str, known: bytes = b"") -> bytes:
    """The journal as the checkpoints hold it, with the line that was to be written next; empty where they hold none.

    What is `known` of its beginning is believed, and only those after it are read.
    """
    made = [checkpoint for checkpoint in reversed(timeline(store, ref)) if _JOURNAL.fullmatch(checkpoint.journal)]
    starts = [int(checkpoint.journal.split()[0]) for checkpoint in made]
    first = next((place for place in reversed(range(len(made))) if starts[place] <= len(known)), 0) if known else 0
    made = made[first:]
    raw = io.BytesIO(store.run("cat-file", "--batch", stdin="".join(f"{made.oid}\n" for made in made).encode()))
    content = known
    for checkpoint in made:
        message = raw.read(int(raw.readline().split()[2])).partition(b"\n\n")[2]
        raw.read(1)  # the newline after each object
        lines = message.partition(b"\n\n")[2].rpartition(b"\n\n")[0]
        content = content[: int(checkpoint.journal.split()[0])] + (lines + b"\n" if lines else b"")
    return content


def fingerprint(session_dir: Path) -> str:
    """A hash over the session's own files, for the detection of progress; needs no git.

    What the worker and people write (approvals, guidance, the report) does not change it, and neither does the
    overview, in which every child leaves a line.
    """
    total = hashlib.sha256()
    for path, _ in session_files(session_dir):
        if path in _NO_PROGRESS:
            continue
        content = _content(session_dir / path)
        if content is None:
            continue
        total.update(os.fsencode(path) + b"\0" + hashlib.sha256(content).digest())
    return total.hexdigest()


def _content(path: Path) -> bytes | None:
    """The bytes of a session file; None where an editor or a child has just replaced it."""
    try:
        return read_plain(path, LIMIT_BYTES)
    except ValueError:
        return None


def _log(store: Git, ref: str, *limit: str, path: str = "") -> list[Checkpoint]:
    if store.lacks(ref):
        return []
    done = store.call("log", "-z", "--first-parent", _FORMAT, *limit, ref, "--", *([path] if path else []))
    if done.returncode:
        if store.ref(ref) is None:
            return []
        raise failure(("log",), done, store.git_dir)
    fields = done.stdout.decode(errors="replace").split("\0")
    records = [fields[start : start + _FIELD_COUNT] for start in range(0, len(fields) - 1, _FIELD_COUNT)]
    return [_parse(record) for record in records if " " in record[2]]


def _parse(record: list[str]) -> Checkpoint:
    oid, tree, parents, seconds, summary, iteration, attempt, head, journal = record
    code = parents.split()[1]
    numbers = _number(iteration), _number(attempt)
    return Checkpoint(oid, tree, code, head or code, summary, *numbers, float(seconds), journal)


def _number(value: str | int | None) -> int | None:
    """The number of a trailer; None where it is missing or someone else wrote it."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else None
