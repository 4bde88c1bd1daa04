"""A process that belongs to nobody: it outlives who started it, and no sweep after a child can reach it."""

import subprocess
from collections.abc import Mapping, Sequence

from samoloop.children.processes import inheriting


def start(argv: Sequence[str], *, env: Mapping[str, str], output: int, keep: int) -> None:
    """Start it in a process session of its own, in the folder /; it keeps the descriptor `keep` open.

    Raises OSError. Call it while no child is at work: orphans are given to init meanwhile.
    """
    with inheriting(orphans=False):
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *argv], env=env, cwd="/",
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=[keep], start_new_session=True, check=True,
        )  # fmt: skip
