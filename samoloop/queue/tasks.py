"""The tasks of the backlogs for `up`: which can start, and what a person is to be told of the others, once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from samoloop.api import backlog, backlog_start
from samoloop.api.backlog import Found, Known
from samoloop.base.errors import SamoloopError, UsageError, sentence
from samoloop.base.files import Stamp, stamp
from samoloop.config import loading, task_files, workflow_files
from samoloop.config.project import FILE_NAME, user_file
from samoloop.config.settings_files import settings_now
from samoloop.core.backlog import Standing, Stands, Task, is_stuck, ready
from samoloop.core.session import Session
from samoloop.git.calls import Git
from samoloop.git.checkout import locate
from samoloop.queue.due import Due, Rank
from samoloop.queue.handing import ToFleet
from samoloop.worker import shared_limits

SETTLED_SECONDS = 1.0  # a file that was written just now may be half saved
_NAMED = 10


@dataclass
class Tasks:
    """The backlogs of all projects, as the last look found them."""

    environ: Mapping[str, str]
    say_once: Callable[[str], None]
    _known: Known = field(default_factory=Known)
    _found: dict[Path, Found] = field(default_factory=dict)
    _seen: dict[Path, str] = field(default_factory=dict)  # the settings as they were when `up` began
    _candidates: dict[tuple[Path, str | None, str | None], tuple[tuple[Stamp, ...], tuple[str, ...]]] = field(
        default_factory=dict
    )

    def look(self, root: Path, now: float, sessions: Sequence[Session] | None = None) -> None:
        """Read what changed; what is wrong, or does not go on, is said once."""
        if root not in self._seen:
            self._seen[root] = self._settings(root)
        try:
            found = backlog.look(root, self.environ, now, known=self._known, sessions=sessions)
            self._found[root] = found
        except (SamoloopError, OSError) as error:
            self._found.pop(root, None)
            self.say_once(f"the backlog of {root} is left alone: {sentence(error)}")
            return
        for one in found.stands:
            if one.standing is Standing.WRONG or (is_stuck(one) and one.holds):
                self.say_once(_said(one))
        for name in sorted(found.edited):
            self.say_once(f"{name}: its text was changed; its session keeps the one that it was given")

    def ready(self, root: Path, now: float) -> Iterator[Due]:
        """Tasks without a session that can start, the first first; none whose file may be half saved."""
        found = self._found.get(root)
        for one in ready(found.stands) if found else ():
            task = one.task
            if found and task and not (task.fleet or _is_new(task, now)) and self._free(root, task, now):
                begin, provider = self._begin(found, one), self._provider(root, task, now)
                yield Due(_key(root, task), task.name, _rank(task), begin, provider)

    def to_fleet(self, root: Path, now: float) -> Iterator[ToFleet]:
        """Tasks without a session that can start, on a machine of the fleet."""
        found = self._found.get(root)
        for one in ready(found.stands) if found else ():
            task = one.task
            if found and task and task.fleet and not _is_new(task, now):
                begin = self._begin(found, one)
                yield ToFleet(_key(root, task), task.name, root, _rank(task), begin, task.needs)

    def waits_for_fleet(self, root: Path, *, shares: bool) -> bool:
        """Whether something in this backlog hangs on the fleet; `shares`: it has sessions of the project."""
        found = self._found.get(root)
        left = [one for one in found.stands if one.standing is not Standing.DONE] if found else []
        return any(shares or (one.task and one.task.fleet) for one in left)

    def is_soon(self, now: float) -> bool:
        """Whether a task waits for nothing but that its file is whole."""
        every = (one for found in self._found.values() for one in ready(found.stands))
        return any(one.task is not None and _is_new(one.task, now) for one in every)

    def of_session(self, session: Session) -> Task | None:
        """The task that the session was made from, as its file is now."""
        link = self._known.task_of(session)
        found = self._found.get(session.state().created.root) if link else None
        stands = (one for one in found.stands if one.name == link.task) if found and link else iter(())
        return next((one.task for one in stands), None)

    def summary(self, now: float) -> list[str]:
        """How all of it stands now, a line a project."""
        for root in list(self._found):
            self.look(root, now)
        return [line for root, found in self._found.items() if (line := _summary(root, found))]

    def _begin(self, found: Found, one: Stands) -> Callable[..., Session]:
        def begin(mark: str = "") -> Session:
            if self._settings(found.root) != self._seen.get(found.root):
                raise UsageError(
                    f"the settings in {found.root} changed since `up` began, and a child can write them: "
                    "look at them and start `samoloop up` again"
                )
            session, notes = backlog_start.start(found, one, self.environ, mark)
            for note in notes:
                self.say_once(f"{session.name}: {note}")
            return session

        return begin

    def _settings(self, root: Path) -> str:
        """The project's settings, with the programs that git's configuration names; empty where they cannot be read."""
        at = locate(root)
        try:
            programs = Git(at.common_dir).programs() if at else {}
            return settings_now(loading.load(root, self.environ), programs, in_reach=False)
        except SamoloopError:  # said by whoever looks for its sessions
            return ""

    def _free(self, root: Path, task: Task, now: float) -> bool:
        """Whether a CLI that could do the work is not limited."""
        return any(self._until(name, now) <= now for name in self._clis(root, task))

    def _provider(self, root: Path, task: Task, now: float) -> Callable[[], str]:
        return lambda: next(name for name in self._clis(root, task) if self._until(name, now) <= now)

    def _until(self, provider: str, now: float) -> float:
        return shared_limits.read(provider, self.environ, now)[0]

    def _clis(self, root: Path, task: Task) -> tuple[str, ...]:
        """Those that could do its first phase, the first choice first; what is wrong is said when it starts."""
        stamps = (stamp(root / FILE_NAME), stamp(user_file(self.environ)))
        key = (root, task.provider, task.workflow)
        known = self._candidates.get(key)
        if known is None or known[0] != stamps:
            known = self._candidates[key] = (stamps, self._ask_settings(root, task))
        return known[1]

    def _ask_settings(self, root: Path, task: Task) -> tuple[str, ...]:
        try:
            settings = loading.load(root, self.environ, backlog.settings_of(task))
            workflow = workflow_files.load(task.workflow or settings.workflow, root)
            return settings.candidates(workflow.first_with_child)
        except SamoloopError:
            return ("",)


def _key(root: Path, task: Task) -> Path:
    return task_files.path_of(root, f"{task.name}@{task.written}")


def _rank(task: Task) -> Rank:
    return (-task.priority, 1, task.written, task.name)


def _is_new(task: Task, now: float) -> bool:
    return 0 <= now - task.written < SETTLED_SECONDS


def _said(one: Stands) -> str:
    why = one.why.replace("\n", "; ")
    if one.standing is Standing.WRONG:
        why = f"it cannot be used: {why}"
    names = ", ".join(one.holds[:_NAMED]) + (f" and {len(one.holds) - _NAMED} more" if len(one.holds) > _NAMED else "")
    return f"{one.name}: {why}" + (f"; held until then: {names}" if names else "")


def _summary(root: Path, found: Found) -> str:
    """`repo: 3 done, 1 waits (auth), 2 held (api, ui)`."""
    parts = []
    for standing in (Standing.DONE, *(word for word in Standing if word is not Standing.DONE)):
        names = [one.name for one in found.stands if one.standing is standing]
        named = f" ({', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''})"
        parts += [f"{len(names)} {standing}{'' if standing is Standing.DONE else named}"] if names else []
    return f"{root.name}: {', '.join(parts)}" if parts else ""
