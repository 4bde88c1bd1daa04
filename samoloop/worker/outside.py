"""What changed outside of a child's worktree while it was at work: the person's branches, hooks, git configuration,
settings, and the task.

One look just before each child and one right after it, so nothing that a person does between two children is laid to
one; where the next child begins at once and nothing changed, one look is both. The one before a child is kept in the
control folder, with its hash in the journal, so that a worker that adopts the child has it.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from samoloop.base.errors import SamoloopError
from samoloop.base.files import read_plain, sha256, write_anew, write_atomic
from samoloop.base.values import frozen
from samoloop.config.project import LEARNED, user_file
from samoloop.config.settings_files import settings_files
from samoloop.core.control import is_begun
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.limits import EndedBy
from samoloop.core.overview import TASK_FILE
from samoloop.core.session import all_sessions
from samoloop.core.words import News
from samoloop.git import checkpoint, surroundings
from samoloop.git.checkout import locate
from samoloop.git.drivers import configuration_files
from samoloop.worker.news import about
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

ROOM, SETTINGS = "outside", "settings"  # what a child's `started` remembers hashes under
SETTINGS_FILE = "_settings.json"  # those that the worker goes by, as it found them
_FILE = "_outside.json"
_LOOK_BYTES, _PLAIN_BYTES = 100_000_000, 10_000_000
_SHOWN = 10  # changes that are told one by one
_NAME_LENGTH = 200

Look = Mapping[str, Mapping[str, str]]  # kind, as a sentence names it -> name -> what it is at
_REMOTES = "refs/remotes/"
_REFS, _HEAD, _PROJECTS, _TASK = "", "the main checkout", "the settings file", "the task"
_LEARNED = "what was learned,"
_MADE, _CHANGED, _GONE = "{what} was added", "{what} was changed", "{what} was removed"
_WORDS = {
    _REFS: (
        "{what} was made at {now:.12}",
        "{what} was moved from {was:.12} to {now:.12}",
        "{what}, which was at {was:.64}, was removed",
    ),
    _HEAD: (_MADE, "{what} was switched from {was:.200} to {now:.200}", _GONE),
}


@frozen
class Change:
    """One thing that is not as it was: a sentence but for when it happened."""

    what: str
    then: str = ""  # what follows after when
    is_news: bool = True  # the person hears of it at once


def look_before(worker: Worker) -> Mapping[str, str]:
    """Keep what lies outside as it is now, and the settings that the worker goes by; hashes of both. A station of a
    worker."""
    session = worker.session
    if worker.alone and ROOM in worker.looked:
        return {ROOM: worker.looked[ROOM], SETTINGS: keep_settings(worker)}
    task = _plain(session.dir / TASK_FILE)
    kept = session.control / TASK_FILE
    if task is not None and _plain(kept) != task:
        write_atomic(kept, task)
    seen = json.dumps(_look(worker))
    write_anew(session.control / _FILE, seen)
    return {ROOM: sha256(seen), SETTINGS: keep_settings(worker)}


def keep_settings(worker: Worker) -> str:
    """Keep the settings that the worker goes by, so that a person can be shown what changes; their hash."""
    path = worker.session.control / SETTINGS_FILE
    if _plain(path) != worker.settings_now.encode():
        write_atomic(path, worker.settings_now)
    return sha256(worker.settings_now)


def outside_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """What is not as it was before the child. The task is put back. A station of a worker."""
    session, iteration = worker.session, finished.started.iteration
    digest = finished.started.seen.get(ROOM)
    if digest is None:  # begun by an earlier version
        return []
    before = _kept(session.control / _FILE, digest)
    if before is None:
        why = f"{session.control / _FILE} was changed or lost, so what iteration {iteration} did outside is not known"
        lost = finished.ended.by is EndedBy.LOST  # maybe with the machine
        return [Evidence(ROOM, Weight.NOTE if lost else Weight.BLOCK, why)]
    since = " or after that, when no worker was there" if finished.adopted else ""
    when = f"while the child of iteration {iteration} was at work{since}"
    task = list(_task_changes(worker, before))
    look = _look(worker)
    changes = [*task, *_changes(worker, before, look)]
    worker.looked = {ROOM: digest} if look == before else {}  # what is kept stays until the journal says `ended`
    told = [f"{change.what} {when}{change.then}" for change in changes[:_SHOWN]]
    if len(changes) > _SHOWN:
        told.append(f"{len(changes) - _SHOWN} more things outside of the worktree were changed {when}")
    if any(change.is_news for change in changes):
        worker.announce(about(worker, News.OUTSIDE, "\n\n".join(told)))
    return [Evidence(ROOM, Weight.NOTE, sentence) for sentence in told]


def _look(worker: Worker) -> Look:
    created, config = worker.state.created, worker.config
    found = locate(created.root) if created.repo is None else None
    common = created.repo or (found.common_dir if found else None)
    kinds: dict[str, Mapping[str, str]] = {
        _PROJECTS: settings_files(config) | surroundings.contents([user_file(worker.environ)]),
        _LEARNED: surroundings.contents([config.root / LEARNED]),
        _TASK: {TASK_FILE: sha256(task)} if (task := _plain(worker.session.dir / TASK_FILE)) is not None else {},
    }
    if common is None:
        return kinds
    own = f"refs/heads/{created.branch}" if created.repo else ""
    return kinds | {
        _REFS: {name: at for name, at in surroundings.refs(common).items() if name != own},
        _HEAD: {"": surroundings.head(common)},
        "the git hook": surroundings.hooks(common),
        "the git configuration": surroundings.configuration(configuration_files(common, worker.environ)),
        "git's file": surroundings.contents([common / "info" / "attributes", common / "info" / "exclude"]),
    }


def _changes(worker: Worker, before: Look, after: Look) -> Iterator[Change]:
    """All that differs but the task."""
    others: set[str] | None = None
    for kind, now in after.items():
        was = before.get(kind, {})
        for name in sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name)):
            if kind == _REFS and name.startswith(("refs/heads/", _REMOTES)):
                others = _branches_of_others(worker, after) if others is None else others
            if kind == _TASK or (kind == _REFS and _here(name) in (others or ())):
                continue
            made, changed, gone = _WORDS.get(kind, (_MADE, _CHANGED, _GONE))
            words = changed if name in was and name in now else made if name in now else gone
            what = f"{kind} {name.encode(errors='replace').decode()[:_NAME_LENGTH]}".strip()
            is_news = kind != _LEARNED and not name.startswith(_REMOTES)  # a fetch is nothing to be woken for
            yield Change(words.format(what=what, was=was.get(name, ""), now=now.get(name, "")), is_news=is_news)


def _here(ref: str) -> str:
    """The branch that a remote's is known by; any other ref as it is."""
    return f"refs/heads/{ref.removeprefix(_REMOTES).partition('/')[2]}" if ref.startswith(_REMOTES) else ref


def _branches_of_others(worker: Worker, now: Look) -> set[str]:
    """The branches of the other sessions, whose workers and children move them meanwhile; never what is checked out."""
    found = set()
    for session in all_sessions(worker.session.dir.parent):
        try:
            if session.name != worker.session.name and is_begun(session.dir):
                found.add(f"refs/heads/{session.branch}")
        except (SamoloopError, OSError):
            continue
    return found - set(now[_HEAD].values())


def _task_changes(worker: Worker, before: Look) -> Iterator[Change]:
    """The task is the person's: what a child made of it goes."""
    session = worker.session
    wanted, path = before[_TASK].get(TASK_FILE), session.dir / TASK_FILE
    present = _plain(path)
    if wanted is None or (present is not None and sha256(present) == wanted):
        return
    earlier = checkpoint.read(worker.store, worker.ref, TASK_FILE) if worker.config.commit else None
    for text in (_plain(session.control / TASK_FILE), earlier):
        if text is not None and sha256(text) == wanted:
            write_atomic(path, text)
            yield Change(f"{TASK_FILE} was changed", "; it is again your task, word for word")
            return
    yield Change(f"{TASK_FILE} was changed", "; what it held is lost, so put your task back")


def _plain(path: Path) -> bytes | None:
    """What stands there; None for what is no file."""
    try:
        return read_plain(path, _PLAIN_BYTES)
    except ValueError:
        return None


def _kept(path: Path, digest: str) -> Look | None:
    """The look that has this hash; None where it is not there any more."""
    try:
        text = read_plain(path, _LOOK_BYTES) or b""
    except ValueError:
        return None
    return json.loads(text) if sha256(text) == digest else None
