"""A whole session in this process, for the demo and the examples: begin it, let the worker go on."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from samoloop.base.clock import Clock
from samoloop.children.processes import become_subreaper
from samoloop.children.stop import StopRequest, install_handlers
from samoloop.config import loading, workflow_files
from samoloop.config.loading import Config
from samoloop.core.records import Ended
from samoloop.core.rules import Decision
from samoloop.core.session import Session
from samoloop.git.repo import Repo
from samoloop.worker import loop, prepare
from samoloop.worker.lease import locked
from samoloop.worker.view import View
from samoloop.worker.worker import Worker

SCRIPT = "demo"  # the provider that plays a scenario

OpenView = Callable[[Session, StopRequest], AbstractContextManager[View]]
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def scripted(root: Path) -> Config:
    """Settings for a session of the scripted child: the project's own alone, because the person's file could name
    another provider, or a phone."""
    nobody = {"HOME": str(root), "XDG_CONFIG_HOME": str(root / ".nobody")}
    return replace(loading.load(root, nobody, {"provider": SCRIPT}), keep_awake=False)


def begin(settings: Config, task: str, name: str, provider: str | None) -> Session:
    """A new session in the repository that the settings belong to; folder and branch get the name.

    `provider` is what the person chose, which a later `samoloop resume` goes by; None: the settings tell.
    """
    return prepare.create(
        settings,
        workflow_files.load(settings.workflow, settings.root),
        task,
        repo=Repo.find(settings.root),
        name=name,
        settings={"provider": provider} if provider else {},
        now=Clock().local,
    )


def go_on(
    session: Session,
    settings: Config,
    *,
    open_view: OpenView,
    environ: Mapping[str, str],
    yes: bool = False,
    no_wait: bool = False,
) -> Decision:
    """Let a worker take the session as far as it goes. Raises LockHeld where another one is at it."""
    with locked(session), _stoppable() as stop, open_view(session, stop) as view:
        become_subreaper()
        return loop.run(Worker(session, settings, stop=stop, view=view, environ=environ, yes=yes, no_wait=no_wait))


class Told:
    """Another view, and below each iteration what the child said last."""

    def __init__(self, inner: View) -> None:
        self._inner = inner
        self.say = inner.say
        self.started = inner.started
        self.progress = inner.progress
        self.waiting = inner.waiting

    def ended(self, record: Ended, decision: Decision) -> None:
        self._inner.ended(record, decision)
        if record.said:
            self.say(f"      “{' '.join(record.said.split())}”")


def telling(open_view: OpenView) -> OpenView:
    """The same views, which also tell what each child said."""

    @contextmanager
    def opened(session: Session, stop: StopRequest) -> Iterator[View]:
        with open_view(session, stop) as view:
            yield Told(view)

    return opened


@contextmanager
def _stoppable() -> Iterator[StopRequest]:
    """Ctrl-C asks the worker to stop; afterwards it means again what it meant before."""
    before = {number: signal.getsignal(number) for number in _HANDLED}
    stop = StopRequest()
    install_handlers(stop)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
