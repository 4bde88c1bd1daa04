"""A process that belongs to nobody: it outlives who started it, and no sweep after a child can reach it."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37  # <linux/prctl.h>


def start(argv: Sequence[str], *, env: Mapping[str, str], output: int, keep: int) -> None:
    """Start it in a process session of its own, in the folder /; it keeps the descriptor `keep` open.

    Raises OSError. Call it while no child is at work: orphans are given to init meanwhile.
    """
    with _orphans_go_to_init():
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *argv], env=env, cwd="/",
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=[keep], start_new_session=True, check=True,
        )  # fmt: skip


@contextmanager
def _orphans_go_to_init() -> Iterator[None]:
    """What becomes an orphan now is not given to this process, though it may be a subreaper."""
    if sys.platform != "linux":
        yield
        return
    import ctypes  # 10 ms

    prctl, was = ctypes.CDLL(None).prctl, ctypes.c_int(0)
    prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(was), 0, 0, 0)
    prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, was.value, 0, 0, 0)
