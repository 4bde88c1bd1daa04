"""What a worker holds while it runs one session. It keeps nothing that is not on disk first."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from samoloop.base.clock import Clock
from samoloop.base.files import write_atomic
from samoloop.children.stop import StopRequest
from samoloop.config.loading import Config
from samoloop.core import overview
from samoloop.core.control import PRIVATE, lay_links
from samoloop.core.gates import read_text
from samoloop.core.session import Session
from samoloop.core.state import State
from samoloop.git import checkpoint
from samoloop.git.calls import Git
from samoloop.git.worktree import Worktree
from samoloop.providers.base import Provider
from samoloop.worker import launching, outbox
from samoloop.worker.outbox import Announcement
from samoloop.worker.stations import Stations
from samoloop.worker.view import Quiet, View

ALONE_SECONDS = 1.0  # after which a person may have done something


@dataclass
class Worker:
    """One session's worker."""

    session: Session
    config: Config
    clock: Clock = field(default_factory=Clock)
    stop: StopRequest = field(default_factory=StopRequest)
    view: View = field(default_factory=Quiet)
    stations: Stations = field(default_factory=Stations)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    yes: bool = False  # take suggestions, approve plans; given each time, never remembered
    settings_now: str = ""  # what `config` comes from, with git's programs; see `config.settings_files`
    no_wait: bool = False  # come back instead of waiting for a human or a limit
    kept: int | None = None  # bytes of the journal that checkpoints hold; None: not looked yet
    announced: Announcement | None = None  # by this worker, the last
    deliver: Callable[[], None] = lambda: None  # called when there may be news to deliver, and again while it waits
    looked: dict[str, str] = field(default_factory=dict)  # what rooms saw after the last child; holds while `alone`
    _looked_at: float = -math.inf
    _worktree: Worktree | None = None

    @property
    def state(self) -> State:
        return self.session.state()

    @property
    def worktree(self) -> Worktree:
        """Where the children work, as it was found when asked first since `look_anew`. Raises WorktreeGone."""
        if self._worktree is None:
            self._worktree = self._open_worktree()
        return self._worktree

    def _open_worktree(self) -> Worktree:
        created = self.state.created
        root, left_out = created.worktree, self.state.left_out
        if created.repo is None:
            return Worktree.in_place(root, self.private_repository, created.branch, self.in_place_excludes, left_out)
        return Worktree.open(created.repo, root, created.branch, left_out)

    @property
    def alone(self) -> bool:
        """Whether all is as it was found just now, after the last child: nobody but this worker was at work since."""
        return self.clock.monotonic() - self._looked_at < ALONE_SECONDS

    def has_looked(self) -> None:
        """All was looked at, and no child is at work."""
        self._looked_at = self.clock.monotonic()

    def look_anew(self) -> None:
        """Somebody may have been at work: what was found before holds no more."""
        self._worktree, self._looked_at = None, -math.inf

    @property
    def store(self) -> Git:
        """Git on the session's commits and checkpoints, which outlive the worktree."""
        return Git(self.state.created.repo or self.private_repository)

    @property
    def private_repository(self) -> Path:
        """Where the history of a session in place is kept."""
        return self.session.control / PRIVATE

    @property
    def in_place_excludes(self) -> list[str]:
        """What a session in place never records."""
        root = self.state.created.worktree
        sessions = self.session.dir.parent
        return [f"/{sessions.relative_to(root).as_posix()}/"] if sessions.is_relative_to(root) else []

    @property
    def ref(self) -> str:
        """The ref that holds the session's checkpoints, by the name that it was created with."""
        return checkpoint.ref_name(self.state.created.session)

    def provider(self, name: str) -> Provider:
        return launching.provider_of(self.config, name, self.environ)

    def child_environment(self) -> dict[str, str]:
        """The environment of a child, or of a command that runs for one."""
        return launching.child_environment(self.config, self.environ)

    def announce(self, announcement: Announcement) -> None:
        """Tell all who are to hear of it, with the project and the session's folder."""
        root = self.state.created.root
        at = announcement.at or self.clock.epoch()
        said = replace(announcement, project=root.name, folder=str(self.session.dir), at=at)
        self.announced = said
        outbox.put(self.session.dir, said, self.config.outlets)
        if self.config.outlets.terminal:
            self.view.announced(said)
        self.deliver()

    def restore_overview(self) -> None:
        """Put the worker's lines right, move old lines away, and the whole file back if the child emptied it."""
        state, path = self.state, self.session.dir / overview.FILE_NAME
        text = read_text(path)
        if text is None or not text.strip():
            text = self._earlier_overview()
        blocked = state.reason if state.condition == "blocked" else "no"
        wanted = overview.with_worker_lines(text, phase=state.phase, iteration=state.iteration, blocked=blocked)
        wanted, older = overview.with_newest(wanted, self.clock.local())
        lay_links(self.session.dir, self.session.control)
        self._keep_older(older)
        if wanted != text or path.is_symlink() or not path.exists():
            write_atomic(path, wanted)

    def _keep_older(self, lines: list[str]) -> None:
        """Put lines that the overview holds no more below the older ones; after a crash it may be done again."""
        if not lines:
            return
        path, more = self.session.dir / overview.OLDER_FILE, "".join(f"{line}\n" for line in lines)
        before = read_text(path) or "# Older lines of the overview\n\n"
        if not before.endswith(more):
            write_atomic(path, before + more)

    def _earlier_overview(self) -> str:
        kept = checkpoint.read(self.store, self.ref, overview.FILE_NAME) if self.config.commit else None
        if kept and kept.strip():
            return kept.decode("utf-8", "replace")
        task = read_text(self.session.dir / overview.TASK_FILE) or self.session.task
        return overview.skeleton(self.session.task, task, self.state.phase)
