"""A CLI from its request to its outcome: for skills and whatever else runs one child; an iteration does the same in
steps, because its child may have been started by a worker before.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from samoloop.base.values import frozen
from samoloop.children.child import Child, ChildEnd, Spec
from samoloop.children.processes import become_subreaper
from samoloop.children.stop import StopRequest
from samoloop.core.events import Event
from samoloop.core.limits import Limits
from samoloop.core.outcome import Collector, Outcome
from samoloop.providers.base import Launch, Provider, Request
from samoloop.providers.program import argv_of


@frozen
class Ran:
    """A child that was run to its end."""

    outcome: Outcome
    ended: ChildEnd


def run(
    request: Request,
    provider: Provider,
    limits: Limits,
    *,
    lock: Path,
    marker: str,
    on_events: Callable[[list[Event]], None],
    stop: StopRequest,
    around: Callable[[Launch], Launch] = lambda launch: launch,
) -> Ran:
    """Start the CLI, follow it within its limits, and sweep up what it left. Its own result is its end: there is no
    signal to wait for. `around` puts the launch in a sandbox. Raises ProviderError where it cannot be started.
    """
    become_subreaper()
    child = Child.spawn(spec_of(request, around(provider.launch(request)), lock=lock, marker=marker))
    collector = Collector()

    def take(events: list[Event]) -> None:
        collector.take(events)
        on_events(events)

    ended = child.wait(
        limits,
        habits=provider,
        reader=provider.reader(request),
        signal_ready=lambda: True,
        on_events=take,
        stop=stop,
    )
    return Ran(collector.outcome(ended.by, ended.exit_code, ended.seconds, time.time()), ended)


def spec_of(
    request: Request, launch: Launch, *, lock: Path, marker: str, told: Mapping[str, str] | None = None
) -> Spec:
    """The process that a launch asks for; `told` is added to its environment last."""
    kept = {name: value for name, value in request.environ.items() if name not in launch.unset}
    return Spec(
        argv=argv_of(launch, request),
        within=launch.within,
        env=kept | dict(launch.env) | dict(told or {}),
        cwd=request.worktree,
        stdin=request.prompt if launch.prompt_on_stdin else None,
        stem=request.stem,
        lock=lock,
        marker=marker,
    )
