"""What a person asks of a running worker: finish the iteration, or stop now."""

import math
import os
import signal
from types import FrameType

from samoloop.base import programs

PATIENCE_SECONDS = 5.0  # with a program that the worker runs itself, once it shall stop now


class StopRequest:
    """A wish to stop, safe to make in a signal handler and to wait for in several places at once.

    `finish_fd` becomes readable when either is asked for, `now_fd` when stopping now is. Both stay readable: nobody
    drains them, so a waiter does not poll a descriptor again that it has acted on.
    """

    def __init__(self) -> None:
        self._finish = _Flag()
        self._now = _Flag()
        self.interrupted = False  # by Ctrl-C
        self.by_person = False  # Ctrl-C or `samoloop stop`; a lone SIGTERM is a machine that goes down
        self.insisted = False  # asked more than once to stop now
        self.terminal_gone = False  # said, not acted on: whoever prints may stop printing
        self.lent = False  # another program has the terminal, such as an editor: a Ctrl-C there is for it

    @property
    def finish(self) -> bool:
        """Whether the worker shall stop after this iteration."""
        return self._finish.up

    @property
    def now(self) -> bool:
        """Whether the worker shall end its child and stop."""
        return self._now.up

    @property
    def finish_fd(self) -> int:
        return self._finish.reader

    @property
    def now_fd(self) -> int:
        return self._now.reader

    def ask_to_finish(self) -> None:
        """Let the child end, then stop."""
        self._finish.raise_()

    def ask_now(self) -> None:
        """End the child, then stop."""
        self.insisted = self._now.up
        self._now.raise_()
        self._finish.raise_()

    def patience(self) -> float:
        """For how many seconds the worker still waits for a git of its own, which may hang."""
        if not self.now:
            return math.inf
        return 0.0 if self.insisted else PATIENCE_SECONDS


class _Flag:
    """A flag that goes up once, and whose descriptor is readable from then on."""

    def __init__(self) -> None:
        self.up = False
        self.reader, self._writer = os.pipe()

    def raise_(self) -> None:
        if not self.up:
            self.up = True
            os.write(self._writer, b"!")

    def __del__(self) -> None:
        os.close(self.reader)
        os.close(self._writer)


def install_handlers(stop: StopRequest) -> None:
    """First SIGINT: finish; so does SIGUSR1, and SIGUSR2 for a while, as at the end of a night. Second SIGINT or
    SIGTERM: now. SIGHUP: go on without the terminal.

    Handlers, not SIG_IGN: what is ignored here would be ignored in every child too. They only set flags, because a
    handler that writes can run in the middle of another write.
    """

    def interrupted(number: int, frame: FrameType | None) -> None:
        if stop.lent:
            return
        stop.interrupted = stop.by_person = True
        if stop.finish:
            stop.ask_now()
        else:
            stop.ask_to_finish()

    def finish(number: int, frame: FrameType | None) -> None:
        stop.by_person = True
        stop.ask_to_finish()

    def rest(number: int, frame: FrameType | None) -> None:
        stop.ask_to_finish()

    def terminated(number: int, frame: FrameType | None) -> None:
        stop.ask_now()

    def hung_up(number: int, frame: FrameType | None) -> None:
        stop.terminal_gone = True

    programs.process_patience = stop.patience
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGUSR1, finish)
    signal.signal(signal.SIGUSR2, rest)
    signal.signal(signal.SIGTERM, terminated)
    signal.signal(signal.SIGHUP, hung_up)
