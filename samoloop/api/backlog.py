"""The backlog of a project: looked at, added to, put in order. What becomes a session of it is `backlog_start`'s.

A task is a file that a person may edit at any time, so each look reads them all; how it stands comes from the sessions
that were made from it.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

from samoloop.api.status import is_done_by_its_end
from samoloop.base.clock import local_zone
from samoloop.base.errors import SamoloopError, UsageError, sentence
from samoloop.base.files import Stamp, make_folder, read_plain, sha256, stamp, write_atomic
from samoloop.base.locks import Lock
from samoloop.base.nearest import named
from samoloop.base.places import state_folder
from samoloop.base.values import frozen
from samoloop.config import loading, projects, task_files, workflow_files
from samoloop.config.keys import Finish
from samoloop.config.project import BACKLOG, sessions_folder, user_file
from samoloop.core import backlog
from samoloop.core.backlog import Run, Standing, Stands, Task
from samoloop.core.control import JOURNAL, fleets_mark
from samoloop.core.decision import Condition
from samoloop.core.next_steps import outlook
from samoloop.core.records import FromBacklog, timestamp
from samoloop.core.session import Session, all_sessions, check_name, slug_of, task_of, title_of, undated
from samoloop.core.state import State
from samoloop.git.checkout import locate

DROPPED = "dropped"  # the folder in which a dropped task is kept
_LOCK_SECONDS = 10.0


@frozen
class Found:
    """A backlog as it stands."""

    root: Path
    stands: Sequence[Stands]  # each after those that it waits for
    edited: frozenset[str] = frozenset()  # tasks whose text is not that of their session any more
    other: Callable[[str], Run | str] = backlog.nobody  # a session that a task names and that was made from none

    def named(self, name: str) -> Stands:
        """Raises UsageError where there is none."""
        found = next((one for one in self.stands if one.name == name), None)
        if found is None:
            names = [one.name for one in self.stands]
            there = ", ".join(names[:20]) or "none"
            raise UsageError(f"there is no task {named(name, names)} in {self.root / BACKLOG}; there are: {there}")
        return found

    def session_of(self, name: str) -> str:
        """The session behind a name in `after`. Raises UsageError where there is none."""
        run = next((one.run for one in self.stands if one.name == name), None) or self.other(name)
        if isinstance(run, str):
            raise UsageError(run)
        return run.session


@dataclass
class Known:
    """What was read, for who looks again and again: only what changed is read anew."""

    files: task_files.Known = field(default_factory=dict)
    sessions: dict[Path, tuple[Path, Stamp, FromBacklog | None, Run | None]] = field(default_factory=dict)

    def task_of(self, session: Session) -> FromBacklog | None:
        return self._of(session)[2]

    def run_of(self, session: Session) -> Run | None:
        """A session that was made from a task; None for another one."""
        return self._of(session)[3]

    def _of(self, session: Session) -> tuple[Path, Stamp, FromBacklog | None, Run | None]:
        found = self.sessions.get(session.dir)
        path = found[0] if found else _journal(session)
        now = stamp(path)
        if found is None or now is None or found[1] != now:
            link = task_of(session)
            found = self.sessions[session.dir] = (path, now, link, run_of(session, link) if link else None)
        return found


def look(
    root: Path,
    environ: Mapping[str, str],
    now: float,
    zone: tzinfo | None = None,
    known: Known | None = None,
    sessions: Sequence[Session] | None = None,
) -> Found:
    """How each task of the project at `root` stands at `now` (epoch seconds); `sessions` are all that it has."""
    zone, known = zone or local_zone(), known or Known()
    files = task_files.read(root, zone, known.files)
    if not files.tasks and not files.faults:
        return Found(root, ())
    sessions = all_sessions(sessions_folder(root, environ)) if sessions is None else sessions
    other = partial(_other, sessions, root, environ, files.tasks)
    stands = backlog.stand(files.tasks, files.faults, _runs(sessions, known), other, now, zone)
    shared = {session.name: mark for session in sessions if (mark := fleets_mark(session.dir))}
    stands = [_shared(one, shared.get(one.run.session)) if one.run else one for one in stands] if shared else stands
    placed = tuple(_placed(root, one) if one.name in files.tasks else one for one in stands)
    edited = (one for one in placed if one.task and one.run and one.run.text_sha256 != sha256(one.task.text))
    return Found(root, placed, frozenset(one.name for one in edited if one.standing is not Standing.DONE), other)


def _shared(stands: Stands, mark: Mapping[str, Any] | None) -> Stands:
    """Where the session of a task is that the fleet has, or is to have."""
    if mark is None or stands.standing is Standing.DONE:
        return stands
    if not mark.get("parcel"):
        return replace(stands, why="not handed to the fleet yet")
    return replace(stands, machine=str(mark.get("paths") or ""))


def _placed(root: Path, stands: Stands) -> Stands:
    """What is wrong with the `after` of a task, with its place."""
    if stands.standing is not Standing.WRONG:
        return stands
    return replace(stands, why=f"{task_files.place(root, stands.name, 'after')}: {stands.why}")


# --- what the sessions tell -------------------------------------------------------------------------------------------


def _runs(sessions: Iterable[Session], known: Known) -> dict[str, Run]:
    """By the name of a task the session that counts."""
    found: dict[str, list[tuple[str, Run]]] = {}
    for session in sessions:
        link, run = known.task_of(session), known.run_of(session)
        if link and run:
            found.setdefault(link.task, []).append((session.name, run))
    return {name: counted for name, runs in found.items() if (counted := backlog.counts(_oldest_first(runs)))}


def _journal(session: Session) -> Path:
    try:
        return session.journal.path
    except SamoloopError:  # its control folder is gone
        return session.dir / JOURNAL


def _oldest_first(runs: Iterable[tuple[str, Run]]) -> list[Run]:
    """Names begin with a day; those of one day are numbered from 2 on."""
    return [run for _, run in sorted(runs, key=lambda pair: (pair[0][:8], len(pair[0]), pair[0]))]


def run_of(session: Session, link: FromBacklog | None = None) -> Run:
    """A session as far as a task depends on it; one that cannot be read has failed."""
    due = link.due if link else 0.0
    try:
        if is_done_by_its_end(session):
            return Run(session.name, Condition.DONE, True, due)
        state = session.state()
        over = state.condition is Condition.DONE and state.rests
        why = _why(session, state)
        return Run(session.name, state.condition, over, due, state.created.task_sha256, why, state.not_before)
    except Exception as error:  # whatever is wrong with one session, the others are shown
        return Run(session.name, Condition.FAILED, due=due, why=sentence(error))


def _why(session: Session, state: State) -> str:
    if state.gate:
        ahead = outlook(session, at_work=False)
        return f"waits for {ahead.waits_for}" if ahead.waits_for else ahead.decided
    return state.reason


def _other(
    sessions: Sequence[Session], root: Path, environ: Mapping[str, str], tasks: Iterable[str], name: str
) -> Run | str:
    """A session that a task waits for by its name; a sentence where there is none, or more than one."""
    found = [session for session in sessions if session.name == name] or [
        session for session in sessions if session.undated == name
    ]
    if len(found) == 1:
        return run_of(found[0])
    if found:
        names = ", ".join(session.name for session in found[:5])
        return f"after names {name!r}, and several sessions are called so: {names}; name one with its day"
    for other in projects.registered(environ):
        if other != root and any(name in (one.name, one.undated) for one in projects.sessions_of(other, environ)):
            return f"after names {name!r}, a session of {other}: a task waits for those of its own project alone"
    return backlog.unknown(name, [*tasks, *(undated(session.name) for session in sessions)])


# --- what a person or a program changes -------------------------------------------------------------------------------


def add(root: Path, content: str, environ: Mapping[str, str], now: float, *, name: str = "") -> Task:
    """A new file in the backlog, see `task_files.written`; the project is registered, so that `up` finds it.

    Without a name it is made from the task. Raises UsageError or ConfigError, with nothing written, for what no session
    could be made of.
    """
    zone = local_zone()
    with _changing(environ):
        found = look(root, environ, now, zone)
        taken = {one.name.casefold() for one in found.stands} | {
            link.task.casefold() for session in projects.sessions_of(root, environ) if (link := task_of(session))
        }
        name = _free_name(name, content, taken)
        try:
            task = task_files.parse(name, content, zone, now)
        except ValueError as error:
            raise UsageError(str(error)) from None
        refuse_useless(root, task, found, environ)
        make_folder(root / BACKLOG)
        write_atomic(task_files.path_of(root, name), content)
    projects.register(root, environ)
    return task


def refuse_useless(root: Path, task: Task, found: Found, environ: Mapping[str, str]) -> None:
    """Raise UsageError or ConfigError where no session could be made of the task, or it would wait for ever."""
    settings = loading.load(root, environ, settings_of(task))
    workflow_files.load(task.workflow or settings.workflow, root)
    if task.fleet and locate(root) is None:
        raise UsageError(
            f"{root} is in no git repository, and a session of the fleet needs a branch: leave out `fleet`"
        )
    known = [one.name for one in found.stands]
    sessions = projects.sessions_of(root, environ)
    for name in task.after:
        other = None if name in known else _other(sessions, root, environ, known, name)
        if isinstance(other, str):
            raise UsageError(other)


def settings_of(task: Task) -> dict[str, Any]:
    """What a task says of the settings of its session."""
    return {
        **({"provider": task.provider} if task.provider else {}),
        **({"ceilings": dict(task.ceilings)} if task.ceilings else {}),
    }


def narrowed(task: Task, allowed: Finish) -> tuple[Finish | None, str]:
    """What comes after its end, and a clause where that is less than its file says: a project's file, which a child may
    have written, can only narrow what the person's own settings allow. None leaves it to those.
    """
    if task.finish is None:
        return None, ""
    words = list(Finish)
    wanted = Finish(task.finish)
    if words.index(wanted) <= words.index(allowed):
        return wanted, ""
    return allowed, f"finish: {wanted} is more than your own settings allow ({allowed}): they are in {user_file({})}"


def _free_name(name: str, content: str, taken: set[str]) -> str:
    if name:
        if check_name(name).casefold() in taken:
            raise UsageError(f"there is a task {name!r} already, or a session of one; choose another name")
        return name
    with suppress(ValueError):  # said when it is read as a whole
        content = task_files.split(content)[1]
    slug = slug_of(content)
    names = (slug if number == 1 else f"{slug}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name.casefold() not in taken)


def drop(root: Path, names: Sequence[str], environ: Mapping[str, str], now: float) -> list[str]:
    """Take tasks out of the backlog; sentences that say what becomes of them. Their files are kept in `dropped/`.

    Raises UsageError, with nothing changed, where another one waits for a task that has no session.
    """
    with _changing(environ):
        found = look(root, environ, now)
        dropped = [found.named(name) for name in dict.fromkeys(names)]
        for one in dropped:
            waiting = [other.name for other in found.stands if other.task and one.name in other.task.after]
            if one.run is None and (left := [name for name in waiting if name not in names]):
                raise UsageError(
                    f"{', '.join(left)} waits for {one.name}: drop that too, or take {one.name} out of its `after`"
                )
        return [_drop(root, one) for one in dropped]


def _drop(root: Path, one: Stands) -> str:
    folder = root / BACKLOG / DROPPED
    make_folder(folder)
    target = folder / f"{one.name}.md"
    numbers = (folder / f"{one.name}-{number}.md" for number in range(2, 10_000))
    target = target if not os.path.lexists(target) else next(path for path in numbers if not os.path.lexists(path))
    task_files.path_of(root, one.name).rename(target)  # a link itself, never what it leads to
    kept = f"{one.name} was dropped; its file is {target.relative_to(root)}"
    if one.run and not one.run.over:
        return f"{kept}. Its session {one.run.session} stays: samoloop stop {one.run.session}"
    return kept


def hold(root: Path, name: str, held: bool, environ: Mapping[str, str], now: float) -> str:
    """Let a task wait until a person lets it go, or let it go; a sentence. Raises UsageError."""
    with _changing(environ):
        one = look(root, environ, now).named(name)
        _set(root, name, "hold", True if held else None)
    if not held:
        return f"{name} is not held any more"
    more = f"; its session {one.run.session} goes on: samoloop stop {one.run.session}" if one.run else ""
    return f"{name} is held{more}. Let it go: samoloop backlog hold {name} --off"


def first(root: Path, name: str, environ: Mapping[str, str], now: float) -> str:
    """Give a task a higher priority than all others have; a sentence. Raises UsageError."""
    with _changing(environ):
        found = look(root, environ, now)
        found.named(name)
        others = [one.task.priority for one in found.stands if one.task and one.name != name]
        priority = max(others, default=0) + 1
        _set(root, name, "priority", priority)
    return f"{name} comes first, with priority {priority}"


def _set(root: Path, name: str, key: str, value: Any) -> None:
    """Change one key of a file. How old the task is stays. Raises UsageError where the file cannot be understood."""
    path = task_files.path_of(root, name)
    try:
        data, before = read_plain(path, task_files.FILE_BYTES), path.stat()
        content = task_files.with_key((data or b"").decode("utf-8-sig"), key, value)
    except ValueError as error:
        raise UsageError(f"{path.name}: {error}") from None
    write_atomic(path, content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@contextmanager
def _changing(environ: Mapping[str, str]) -> Iterator[None]:
    """One change of a backlog after the other."""
    folder = state_folder(environ)
    make_folder(folder)
    with Lock.take(folder / "backlog.lock", _LOCK_SECONDS, f"{os.getpid()}\n"):
        yield


# --- as data ----------------------------------------------------------------------------------------------------------


def row(found: Found, one: Stands) -> dict[str, Any]:
    """A task as JSON. The keys stay; more may come.

    name, title, file (a path), root
    stands        waits, wrong, runs, ready, limited, after, later, held, done
    why           a clause; empty where there is nothing to say
    after         the names that it waits for
    priority, provider, workflow, every, finish, hold    as its file says; null, empty or false where it says nothing
    at            null, or the time (ISO 8601) at which it goes on by itself, or of its schedule that is due
    session       null, or its session
    holds         the names that wait for it, where it does not go on by itself
    edited        its text is not the one that its session was given
    fleet, needs  whether machines of the fleet work on it, and what such a machine must have
    machine       of the fleet, the one that worked on it last; empty where none did
    """
    task = one.task
    return {
        "name": one.name,
        "title": title_of(task.text) if task else "",
        "file": str(task_files.path_of(found.root, one.name)),
        "root": str(found.root),
        "stands": str(one.standing),
        "why": one.why,
        "after": list(task.after) if task else [],
        "priority": task.priority if task else 0,
        "provider": task.provider if task else None,
        "workflow": task.workflow if task else None,
        "every": task.every if task else "",
        "finish": task.finish if task else None,
        "hold": task.hold if task else False,
        "at": None if one.at is None else timestamp(datetime.fromtimestamp(one.at).astimezone()),
        "session": one.run.session if one.run else None,
        "holds": list(one.holds),
        "edited": one.name in found.edited,
        "fleet": task.fleet if task else False,
        "needs": list(task.needs) if task else [],
        "machine": one.machine,
    }
