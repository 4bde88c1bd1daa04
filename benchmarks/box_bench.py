"""What the box around a child costs: one iteration with it and without, and its parts."""

import os
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from loop_bench import TINY, make_worker
from measure import Row, median, timed

from samoloop.children import sandbox
from samoloop.core.permissions import Sandboxing
from samoloop.worker import box, iteration

BARE = ("--unshare-user", "--unshare-pid", "--dev-bind", "/", "/", "--proc", "/proc", "--")


def run(words: Sequence[str]) -> None:
    subprocess.run([*words, "/bin/true"], check=True, stdin=subprocess.DEVNULL)


def rows(folder: Path) -> list[Row]:
    """In turns, so that a noisy machine disturbs all alike."""
    without = make_worker(folder / "without", TINY, commit=False)
    os.environ["SAMOLOOP_SANDBOX"] = "required"
    boxed = make_worker(folder / "with", TINY, commit=False)
    maker = sandbox.find()
    more, bare, planned = [], [], []
    for _ in range(12):
        steps = [median(timed(partial(iteration.step, worker), 20)) for worker in (without, boxed)]
        more.append(steps[1] - steps[0])
        bare.append(median(timed(partial(run, [maker.program, *BARE]), 20)) - median(timed(partial(run, []), 20)))
        planned.append(
            median(timed(lambda: sandbox.words_for(Sandboxing(), box.of_session(boxed, boxed.state.phase)), 20))
        )
    ratio = median([ours / floor for ours, floor in zip(more, bare, strict=True)])
    return [
        Row("floor: bubblewrap around `true`, with one mount", f"{median(bare):.1f} ms"),
        Row(
            "the box of a child, on top", f"{median(more):.1f} ms = {ratio:.2f} × floor", "≤ 10 ms", median(more) <= 10
        ),
        Row("  of that, to plan it", f"{median(planned):.1f} ms"),
    ]
