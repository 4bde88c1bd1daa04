"""A parcel: what travels of a session from machine to machine, as one commit.

Its parents are the parcel before it, the newest checkpoint and the branch's tip, so that each follows from the one
before, and whoever has it has the code, the past and all that a worker believes. Its tree holds the session's own files
(`session/`), what of the control folder other machines need (`control/`), and what it is (`parcel.json`). What arrives
was written elsewhere: it is read with limits, by names that are allowed, and never through links.
"""

import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from samoloop import __version__
from samoloop.base.errors import SessionError, UsageError, shown
from samoloop.base.files import entries_of, read_plain, sha256
from samoloop.base.locks import is_held
from samoloop.base.values import frozen
from samoloop.core import gates
from samoloop.core.control import CHILD_LOCK, LOGS
from samoloop.core.journal import is_sealed
from samoloop.core.records import FORMAT as JOURNAL_FORMAT
from samoloop.core.records import Placed, Rooted, WorktreeNew, timestamp
from samoloop.core.session import Session, check_name
from samoloop.fleet import mark as marks
from samoloop.git import checkpoint
from samoloop.git.calls import Git, is_oid
from samoloop.git.checkout import registered
from samoloop.git.objects import Objects
from samoloop.git.session_files import LEFT_OUT
from samoloop.git.staging import LIMIT_BYTES
from samoloop.git.worktree import Worktree
from samoloop.worker import outbox

FORMAT = 1
SESSION, CONTROL, FACTS, TAIL = "session/", "control/", "parcel.json", "control/tail.jsonl"
INBOX = CONTROL + gates.INBOX
NEWS = "_news"  # announcements that other machines made, in a control folder
_NEWEST = 20  # announcements that travel
_REMEMBERED = 32  # parcels: one is asked for several times in a turn, and never changes
_FILES, _TOTAL_BYTES, _NAME_BYTES, _DEEPEST = 50_000, 2_000_000_000, 4000, 110
_PLAIN = ("100644", "100755")
_TEXTS = ("project", "kind", "machine", "by", "at", "paths", "gate", "branch", "head", "tip", "code", "sha256")
_CONTROL = re.compile(r"_inbox\.md|tail\.jsonl|_logs/[\w.-]+\.inbox\.md|_plan-[0-9a-f]{1,64}\.md|_news/[\w.-]+\.json")
_NOT_IN_NAMES = re.compile(r"[^\w.-]")
_LOCAL = (Placed, WorktreeNew, Rooted)  # what a copy's journal ends with that nobody has worked on


class Kind(StrEnum):
    """Why a parcel was made."""

    HANDED_IN = "handed in"
    ITERATION = "iteration"
    ACT = "act"  # of a person, on files alone: the journal is as it was
    MOVED = "moved"
    HOME = "home"  # it is one machine's own session again
    ASIDE = "aside"  # kept where it harms nobody, and never pushed


class Damaged(SessionError):
    """A parcel that cannot be what a machine packed."""


@frozen
class Entry:
    """One file of a parcel."""

    mode: int
    oid: str
    size: int


@frozen
class Parcel:
    """What a parcel says of itself."""

    oid: str
    name: str  # of the session
    project: str  # its id in the remote
    kind: str
    machine: str  # that packed it
    by: str  # whose act it is
    at: str
    paths: str  # the machine whose folders its journal speaks of
    gate: str  # the id of the open gate
    branch: str
    head: str  # the branch's tip
    tip: str  # the newest checkpoint; empty where there is none
    code: str  # the commit of the worktree's content
    notes: tuple[str, ...]
    number: int  # how many parcels there were before it, and this one
    kept: int  # bytes of the journal that checkpoints hold
    sha256: str  # of the whole journal
    files: Mapping[str, Entry]  # by path in the tree
    remote: str = ""  # where it was fetched from


# --- packing ----------------------------------------------------------------------------------------------------------


def pack(
    session: Session,
    kind: str,
    machine: str,
    by: str = "",
    notes: Iterable[str] = (),
    more: Sequence[str] = (),
) -> str:
    """The session as it is here, as a commit that no ref names yet; `more` are further parents.

    The caller holds the session's lease. Raises SessionError for a session that cannot travel.
    """
    state = session.state()
    created = state.created
    if created.repo is None:
        raise UsageError(
            f"{session.name} works in place, without a branch, so it cannot go to another machine: hand its task off "
            "in a git repository, without --in-place"
        )
    if kind not in (Kind.ITERATION, Kind.ACT, Kind.ASIDE):
        _keep_present(session)
    store = Git(created.repo)
    ref, branch = checkpoint.ref_name(created.session), f"refs/heads/{created.branch}"
    tip, head = store.ref(ref) or "", store.ref(branch) or created.base or ""
    mark = marks.read(session.dir)
    before = read(store, mark.parcel) if mark and mark.parcel else None
    content, paths = travelling(session)
    if before and (before.tip, before.head) == (tip, head):
        code, kept = before.code, before.kept
    else:
        last = checkpoint.tip(store, ref)
        code, kept = last.code if last and last.head == head else head, checkpoint.kept_bytes(last)
    kept = min(kept, len(content))
    facts = {
        "format": FORMAT,
        "samoloop": __version__,
        "journal_format": JOURNAL_FORMAT,
        "session": created.session,
        "project": mark.project if mark else "",
        "kind": str(kind),
        "machine": machine,
        "by": by,
        "at": timestamp(datetime.now(UTC)),
        "paths": paths or (mark.paths if mark else "") or machine,
        "gate": state.gate.id if state.gate else "",
        "branch": created.branch,
        "head": head,
        "tip": tip,
        "code": code,
        "number": before.number + 1 if before else 1,
        "kept": kept,
        "sha256": sha256(content),
        "notes": list(notes),
    }
    objects = Objects.of(created.repo, head)
    files = {FACTS: json.dumps(facts, ensure_ascii=False, indent=1).encode() + b"\n", TAIL: content[kept:]}
    files |= {CONTROL + name: data for name, data in _control(session, machine)}
    entries = [(name, 0o100644, objects.blob(data)) for name, data in files.items()]
    entries.append((SESSION.rstrip("/"), 0o40000, checkpoint.session_tree(objects, session.dir, state.left_out)))
    parents = dict.fromkeys(oid for oid in (before.oid if before else "", tip, head, *more) if oid)
    message = f"{created.session}: {kind}, {f'by {by} ' if by else ''}on {machine}\n"
    return objects.commit(objects.tree(entries), list(parents), message.encode())


def _keep_present(session: Session) -> None:
    """A checkpoint where the worktree holds what none has: only that travels. Raises SessionError beside a child."""
    if is_held(session.control / CHILD_LOCK):
        raise SessionError(
            f"a child of {session.name} is at work: wait for it, or `samoloop stop {session.name} --now`"
        )
    state = session.state()
    created = state.created
    if created.repo is None or state.prepared is None or registered(created.repo, created.worktree) is None:
        return
    worktree = Worktree.open(created.repo, created.worktree, created.branch, state.left_out)
    snapshot, ref = worktree.snapshot(), checkpoint.ref_name(created.session)
    last = checkpoint.tip(worktree.store, ref)
    if last is None or worktree.tree_of(last.code) != snapshot.tree or last.head != snapshot.head:
        part = checkpoint.Part(session.journal.content, checkpoint.kept_bytes(last))
        checkpoint.make(worktree, session.dir, ref, snapshot, summary="Handed to another machine", journal=part)


def travelling(session: Session) -> tuple[bytes, str]:
    """The journal but for what its end says of this copy alone, and the machine whose folders it speaks of; empty
    where no machine placed it."""
    records, content = session.journal.read(), session.journal.content
    content = content[: content.rfind(b"\n") + 1]  # without a line that a crash cut off
    end = len(records)
    while end and isinstance(records[end - 1], _LOCAL):
        end -= 1
    own = next((place for place in range(end, len(records)) if isinstance(records[place], Placed)), len(records))
    for _ in records[own:]:
        content = content[: content.rfind(b"\n", 0, -1) + 1]
    return content, next((one.machine for one in reversed(records[:own]) if isinstance(one, Placed)), "")


def _control(session: Session, machine: str) -> Iterator[tuple[str, bytes]]:
    """What other machines need of the control folder, by name in it."""
    control = session.control
    names = [gates.INBOX]
    names += [f"{LOGS}/{entry.name}" for entry in entries_of(control / LOGS) if entry.name.endswith(".inbox.md")]
    names += [entry.name for entry in entries_of(control) if entry.name.startswith("_plan-")]
    for name in names:
        if _CONTROL.fullmatch(name) and (data := _plain(control / name)) is not None:
            yield name, data
    yield from ((f"{NEWS}/{name}", data) for name, data in announced(control, machine))


def announced(control: Path, machine: str) -> Iterator[tuple[str, bytes]]:
    """The newest announcements of a session that is on this machine, whichever made them, by machine and number."""
    own = _NOT_IN_NAMES.sub("_", machine)
    news = [
        (entry.stat(follow_symlinks=False).st_mtime, f"{prefix}{entry.name}", Path(entry))
        for folder, prefix in ((outbox.FOLDER, f"{own}-"), (NEWS, ""))
        for entry in entries_of(control / folder)
        if entry.name.endswith(".json")
    ]
    found = {
        name: data for _, name, path in sorted(news) if (data := _plain(path, outbox.ITEM_LIMIT_BYTES)) is not None
    }
    made_here = [(name, data) for name, data in found.items() if not outbox.is_passed_on(data)]
    yield from made_here[-_NEWEST:]


def _plain(path: Path, limit: int = gates.LIMIT_BYTES) -> bytes | None:
    try:
        data = read_plain(path, limit)
    except ValueError:
        return None
    return data if data is not None and len(data) <= limit else None


# --- reading ----------------------------------------------------------------------------------------------------------


def read(store: Git, oid: str, remote: str = "") -> Parcel:
    """The parcel at a commit, as it came from a remote. Raises Damaged, and SessionError for what a newer samoloop
    packed."""
    return replace(_read(store.git_dir, oid), remote=remote)


@lru_cache(_REMEMBERED)
def _read(git_dir: Path, oid: str) -> Parcel:
    store = Git(git_dir)
    files = _entries(store, oid)
    entry = files.get(FACTS)
    if entry is None:
        raise Damaged(f"{oid[:12]} is no parcel: it has no {FACTS}")
    raw = contents(store, [entry.oid])[entry.oid]
    try:
        facts = json.loads(raw)
        known, journal = int(facts["format"]), int(facts["journal_format"])
        if known > FORMAT or journal > JOURNAL_FORMAT:
            raise SessionError(
                f"the parcel {oid[:12]} of {shown(facts.get('session'))} was packed by samoloop "
                f"{shown(facts.get('samoloop'))}, which is newer than this one ({__version__}): update it here"
            )
        texts = {name: str(facts[name]) for name in _TEXTS}
        if not all(map(is_oid, (texts["head"], texts["code"], texts["tip"] or texts["head"]))):
            raise ValueError("no commit")
        notes = tuple(str(note) for note in facts["notes"])
        name = check_name(str(facts["session"]))
        if "number" not in facts:  # packed before parcels were numbered
            facts["number"] = store.line("rev-list", "--count", "--first-parent", oid)
        said: dict[str, Any] = {**texts, **{name: int(facts[name]) for name in ("number", "kept")}}
        return Parcel(oid=oid, name=name, files=files, notes=notes, **said)
    except (UsageError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Damaged(f"the parcel {oid[:12]} is damaged: its {FACTS} says {error}") from None


def _entries(store: Git, oid: str) -> dict[str, Entry]:
    """All files of a parcel. Raises Damaged for what no machine packs."""
    done = store.call("ls-tree", "-r", "-l", "-z", "--full-tree", oid)
    if done.returncode:
        raise Damaged(f"the parcel {oid[:12]} cannot be read: {' '.join(os.fsdecode(done.stderr).split())}")
    found: dict[str, Entry] = {}
    total = 0
    for line in done.stdout.split(b"\0")[:-1]:
        head, _, raw = line.partition(b"\t")
        mode, kind, blob, size = head.decode().split()
        path = os.fsdecode(raw)
        if kind != "blob" or mode not in _PLAIN or not size.isdecimal() or not _is_allowed(path):
            raise Damaged(f"the parcel {oid[:12]} holds {shown(path)}, which no machine packs: nothing was taken of it")
        total += int(size)
        if (int(size) > LIMIT_BYTES and path != TAIL) or total > _TOTAL_BYTES or len(found) >= _FILES:
            raise Damaged(f"the parcel {oid[:12]} is too large, at {shown(path)}: nothing was taken of it")
        found[path] = Entry(int(mode, 8) & 0o777, blob, int(size))
    return found


def _is_allowed(path: str) -> bool:
    parts = path.split("/")
    if path == FACTS:
        return True
    if len(path) > _NAME_BYTES or len(parts) > _DEEPEST or {"", ".", ".."}.intersection(parts):
        return False
    if path.startswith(CONTROL):
        return bool(_CONTROL.fullmatch(path.removeprefix(CONTROL)))
    inside = path.removeprefix(SESSION)
    return path.startswith(SESSION) and inside not in LEFT_OUT and not any(part.lower() == ".git" for part in parts)


def contents(store: Git, oids: Iterable[str]) -> dict[str, bytes]:
    """The bytes of blobs, read by one process."""
    wanted = list(dict.fromkeys(oids))
    if not wanted:
        return {}
    raw = io.BytesIO(store.run("cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in wanted).encode()))
    found = {}
    for oid in wanted:
        words = raw.readline().split()
        if len(words) != 3:
            raise Damaged(f"the object {oid[:12]} of a parcel is not there: fetch it again")
        found[oid] = raw.read(int(words[2]))
        raw.read(1)  # the newline after each object
    return found


@frozen
class Content:
    """A parcel with the content of its files."""

    parcel: Parcel
    session: Mapping[str, tuple[int, bytes]]  # path in the session's folder -> mode, bytes
    control: Mapping[str, bytes]  # path in the control folder -> bytes

    @property
    def inbox(self) -> bytes:
        """Words for the next child."""
        return self.control.get(gates.INBOX, b"")

    @property
    def tail(self) -> bytes:
        """The end of the journal, which no checkpoint holds."""
        return self.control.get(TAIL.removeprefix(CONTROL), b"")


def load(store: Git, *several: Parcel) -> list[Content]:
    """Parcels with their content, read by one process."""
    read = contents(store, (entry.oid for parcel in several for entry in parcel.files.values()))
    return [_with_content(parcel, read) for parcel in several]


def _with_content(parcel: Parcel, read: Mapping[str, bytes]) -> Content:
    session = {
        path.removeprefix(SESSION): (entry.mode, read[entry.oid])
        for path, entry in parcel.files.items()
        if path.startswith(SESSION)
    }
    held = {
        path.removeprefix(CONTROL): read[entry.oid] for path, entry in parcel.files.items() if path.startswith(CONTROL)
    }
    return Content(parcel, session, held)


def journal_of(store: Git, parcel: Parcel, tail: bytes, here: bytes = b"") -> bytes:
    """The whole journal: what checkpoints hold of it, or the copy `here`, and the `tail`. Raises Damaged."""
    content = here[: parcel.kept] + tail
    for known in (here, b"") if parcel.tip else ():
        if sha256(content) != parcel.sha256:
            content = checkpoint.journal(store, parcel.tip, known)[: parcel.kept] + tail
    if sha256(content) != parcel.sha256 or not is_sealed(content):
        raise Damaged(f"the parcel {parcel.oid[:12]} of {parcel.name} is damaged: its journal is not what was packed")
    return content
