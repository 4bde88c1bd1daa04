"""The newest part of a session's logs: given to the remote by the machine where its children ran, and taken from there
by whoever reads them elsewhere. It takes the place of the part before, so it costs a remote no more than one.
"""

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from samoloop.api.logs import Attempt, attempts
from samoloop.base.errors import GitError, SamoloopError, sentence
from samoloop.base.files import entries_of, make_folder, open_plain, remove, small_text, write_atomic
from samoloop.core.control import LOG_PARTS, OUTPUT, PARTS_FACTS, beside
from samoloop.core.records import timestamp
from samoloop.core.session import Session
from samoloop.fleet import mark as marks
from samoloop.fleet import parcel as parcels
from samoloop.fleet import transport
from samoloop.fleet.extra import need
from samoloop.git import checkpoint
from samoloop.git.calls import Git
from samoloop.git.objects import Objects
from samoloop.git.repo import Repo

REFS = "refs/samoloop/logs/"
_FILES, _BYTES, _FACTS_BYTES = 8, 256 * 1024, 16 * 1024
PAUSE_SECONDS = 5.0  # between two questions to the remote
_WAIT_SECONDS = 30.0  # for the part of a child that has ended, which comes a moment after its iteration
_NAME = re.compile(r"[0-9A-Za-z][\w.-]{0,200}")


def ref_of(name: str) -> str:
    """Where the part of a session is."""
    return REFS + checkpoint.ref_name(name).rpartition("/")[2]


def give(session: Session) -> str:
    """Give the remote what is newest here; a sentence where it does not take it."""
    mark, created = marks.read(session.dir), session.state().created
    if mark is None or created.repo is None:
        return ""
    objects = Objects.of(created.repo, created.base or "")
    newest = list(_newest(session))
    sizes = {name: size for name, size, _ in newest}
    facts = {"machine": mark.machine, "at": timestamp(datetime.now(UTC)), "sizes": sizes}
    files = [(name, 0o100644, objects.blob(data)) for name, _, data in newest]
    files.append((PARTS_FACTS, 0o100644, objects.blob(json.dumps(facts).encode())))
    commit = objects.commit(objects.tree(files), [], f"{created.session}: logs of {mark.machine}\n".encode())
    why = transport.put(Repo(created.root, created.repo), mark.remote, commit, ref_of(created.session))
    return f"{mark.remote} did not take the logs of {session.name}: {why}" if why else ""


def _newest(session: Session) -> Iterator[tuple[str, int, bytes]]:
    """The newest logs, each with its size and its end."""
    files = [entry for entry in entries_of(session.logs) if entry.is_file(follow_symlinks=False)]
    for entry in sorted(files, key=lambda entry: entry.stat(follow_symlinks=False).st_mtime)[-_FILES:]:
        if _NAME.fullmatch(entry.name):
            yield (entry.name, *_end_of(Path(entry)))


def _end_of(path: Path) -> tuple[int, bytes]:
    """The size of a file and the end of it, from the beginning of a line on where there is one."""
    try:
        with open_plain(path) as file:
            size = file.seek(0, 2)
            file.seek(max(size - _BYTES, 0))
            data = file.read(_BYTES)
    except (OSError, ValueError):
        return 0, b""
    return size, data[data.find(b"\n") + 1 :] if size > _BYTES else data


def take(session: Session) -> str:
    """Bring what the remote has of them beside the logs here; a sentence where nothing can be had."""
    mark, created = marks.read(session.dir), session.state().created
    if mark is None or created.repo is None:
        return ""
    repo, ref = Repo(created.root, created.repo), ref_of(created.session)
    try:
        oid = transport.take(repo, mark.remote, ref)
        if oid is None:
            return (
                f"{mark.remote} has no part of the logs of {session.name}: the machine at work gives it at the end of "
                f"an iteration, where {mark.remote} takes {REFS}"
            )
        _place(session, repo.store, oid)
    except (GitError, parcels.Damaged) as error:
        return f"the logs of {session.name} cannot be had now: {error}"
    return ""


def _place(session: Session, store: Git, oid: str) -> None:
    """Put it where readers of logs look. What is too large, or no plain file, is left out."""
    folder = session.control / LOG_PARTS
    if _known(folder).get("oid") == oid:
        return
    blobs = dict(_entries(store, oid))
    contents = parcels.contents(store, blobs.values())
    make_folder(folder)
    for name, blob in blobs.items():
        if name != PARTS_FACTS:
            write_atomic(folder / name, contents[blob])
    facts = _facts(contents[blobs[PARTS_FACTS]]) if PARTS_FACTS in blobs else {}
    write_atomic(folder / PARTS_FACTS, json.dumps({**facts, "oid": oid}))
    for entry in entries_of(folder):
        if entry.name not in blobs and entry.name != PARTS_FACTS:
            remove(Path(entry))


def _entries(store: Git, oid: str) -> Iterator[tuple[str, str]]:
    for line in store.run("ls-tree", "-l", "-z", oid).split(b"\0")[:-1]:
        head, _, raw = line.partition(b"\t")
        mode, _, blob, size = head.decode().split()
        name = raw.decode(errors="replace")
        most = _FACTS_BYTES if name == PARTS_FACTS else _BYTES
        if mode == "100644" and int(size) <= most and (name == PARTS_FACTS or _NAME.fullmatch(name)):
            yield name, blob


def _known(folder: Path) -> dict[str, object]:
    return _facts(small_text(folder / PARTS_FACTS).encode())


def _facts(data: bytes) -> dict[str, object]:
    try:
        found = json.loads(data or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# --- for whoever reads them here --------------------------------------------------------------------------------------


class Reading:
    """Asks the remote for what is new, at most once in `PAUSE_SECONDS`."""

    def __init__(self, session: Session, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._session, self._environ, self._say = session, environ, say
        self._asked = -PAUSE_SECONDS
        self._missed: dict[Path, float] = {}
        self._said = ""

    def bring(self, iteration: int | None) -> None:
        """What there is of an iteration, None is the last one, where it ran on another machine."""
        known = attempts(self._session.journal.read(), self._session.logs)
        wanted = known[-1].started.iteration if known and iteration is None else iteration
        if any(not is_here(self._session, one) for one in known if one.started.iteration == wanted):
            self._ask(take)

    def renew(self, missing: Attempt | None) -> bool:
        """What is new, as `logs.follow` asks for it: of a child of which nothing is here its log, else the session."""
        if time.monotonic() - self._asked < PAUSE_SECONDS:
            return False
        if missing is None:
            self._ask(self._renew_copy)
            return False
        self._ask(take)
        since = self._missed.setdefault(missing.stem, time.monotonic())
        return self._has(missing) or self._asked - since > _WAIT_SECONDS

    def _has(self, missing: Attempt) -> bool:
        """Whether it came, or what came is newer and without it."""
        folder, ended = self._session.control / LOG_PARTS, missing.ended
        newer = ended is not None and str(_known(folder).get("at", "")) > ended.at
        return newer or os.path.lexists(beside(folder / missing.stem.name, OUTPUT))

    def _renew_copy(self, session: Session) -> str:
        """As `fleet work` does it, where it does not run here."""
        need()
        from samoloop.fleet import unattended

        return " ".join(unattended.renew([session], self._environ)) if unattended.is_so(self._environ) else ""

    def _ask(self, ask: Callable[[Session], str]) -> None:
        try:
            said = ask(self._session)
        except (SamoloopError, OSError) as error:
            said = f"what {self._session.name} came to elsewhere is not known now: {sentence(error)}"
        self._asked = time.monotonic()
        if said and said != self._said:
            self._say(said)
        self._said = said


_asked: dict[Path, tuple[float, str]] = {}  # when a page asked last, and what was said


def brought(session: Session) -> str:
    """What the remote has of its logs is here, for a page that does not wait for long; why it is not, in a sentence."""
    asked, said = _asked.get(session.dir, (-PAUSE_SECONDS, ""))
    if time.monotonic() - asked < PAUSE_SECONDS:
        return said
    _asked[session.dir] = time.monotonic(), ""

    def ask() -> None:
        _asked[session.dir] = time.monotonic(), take(session)

    thread = threading.Thread(target=ask, name="log part", daemon=True)
    thread.start()
    thread.join(PAUSE_SECONDS)
    return "The remote does not answer." if thread.is_alive() else _asked[session.dir][1]


def is_here(session: Session, attempt: Attempt) -> bool:
    """Whether this machine has the log of a child."""
    return os.path.lexists(beside(session.logs / attempt.stem.name, OUTPUT))
