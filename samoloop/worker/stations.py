"""The five moments of an iteration at which a room may act. Whoever assembles the worker fills them: the heart names
nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from samoloop.base.values import frozen
from samoloop.core import rules
from samoloop.core.evidence import Evidence

if TYPE_CHECKING:
    from samoloop.children.child import ChildEnd
    from samoloop.core.outcome import Outcome
    from samoloop.core.records import Started
    from samoloop.core.rules import Decision
    from samoloop.git.commit import Committed
    from samoloop.providers.base import Launch
    from samoloop.worker.worker import Worker


@frozen
class Finished:
    """A child after its end, before anything was decided."""

    started: Started
    ended: ChildEnd
    outcome: Outcome
    committed: Committed | None  # what git keeps of it; None where commits are off, and where it was cut off
    adopted: bool = False  # an earlier worker started it, and nobody was there for a while
    wanted: Decision | None = None  # what follows unless evidence speaks against it; None where it was cut off

    def leaves(self) -> bool:
        """Whether the child wants to leave its phase, for the next one or as done."""
        return self.wanted is not None and rules.leaves(self.started.phase, self.wanted)


@frozen
class Stations:
    """Who acts, in this order. Each is called with the worker, which holds the session's lease."""

    before: Sequence[Callable[[Worker], Decision | None]] = ()  # a child: what it has to wait for, None for nothing
    around: Sequence[Callable[[Worker, Launch], Launch]] = ()  # a launch: the process that is started instead
    look: Sequence[Callable[[Worker], Mapping[str, str]]] = ()  # just before a child: hashes that `started` remembers
    after: Sequence[Callable[[Worker, Finished], Sequence[Evidence]]] = ()  # a child: what was seen
    prompt: Sequence[Callable[[Worker], str]] = ()  # paragraphs of the prompt, empty for none

    def and_then(self, more: Stations) -> Stations:
        """These, and after them others."""
        return Stations(
            (*self.before, *more.before),
            (*self.around, *more.around),
            (*self.look, *more.look),
            (*self.after, *more.after),
            (*self.prompt, *more.prompt),
        )

    def hold(self, worker: Worker) -> Decision | None:
        """The first wait that stands before the next child."""
        return next((decision for act in self.before if (decision := act(worker))), None)

    def launch(self, worker: Worker, launch: Launch) -> Launch:
        for act in self.around:
            launch = act(worker, launch)
        return launch

    def seen(self, worker: Worker) -> dict[str, str]:
        return {room: digest for act in self.look for room, digest in act(worker).items()}

    def evidence(self, worker: Worker, finished: Finished) -> tuple[Evidence, ...]:
        return tuple(seen for act in self.after for seen in act(worker, finished))

    def parts(self, worker: Worker) -> list[str]:
        return [part for act in self.prompt if (part := act(worker))]
