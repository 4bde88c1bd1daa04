"""What a person asks of a running worker: finish the iteration, or stop now."""


class StopRequest:
    """A wish to stop, safe to make in a signal handler and to wait for in several places at once.

    `finish_fd` becomes readable when either is asked for, `now_fd` when stopping now is. Both stay readable: nobody
    drains them, so a waiter looks at the properties and does not poll a descriptor again that it has acted on.
    """

    finish_fd: int
    now_fd: int

    @property
    def finish(self) -> bool:
        """Whether the worker shall stop after this iteration."""
        raise NotImplementedError

    @property
    def now(self) -> bool:
        """Whether the worker shall end its child and stop."""
        raise NotImplementedError

    def ask_to_finish(self) -> None:
        """Let the child end, then stop."""
        raise NotImplementedError

    def ask_now(self) -> None:
        """End the child, then stop."""
        raise NotImplementedError


def install_handlers(stop: StopRequest) -> None:
    """First SIGINT: finish. Second SIGINT or SIGTERM: now. SIGHUP: go on without the terminal, with a log line."""
    raise NotImplementedError
