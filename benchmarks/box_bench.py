"""What the box around a child costs: one iteration with it and without, and its parts.

python benchmarks/box_bench.py FOLDER prints the figures alone, as JSON: so they are taken as an ordinary user.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from loop_bench import TINY, make_worker
from measure import Row, median, timed

from samoloop.children import sandbox
from samoloop.core.permissions import Sandboxing
from samoloop.worker import box, iteration

BARE = ("--unshare-user", "--unshare-pid", "--dev-bind", "/", "/", "--proc", "/proc", "--")
NOBODY = 54321  # a user whom the machine does not know


def run(words: Sequence[str]) -> None:
    subprocess.run([*words, "/bin/true"], check=True, stdin=subprocess.DEVNULL)


def measured(folder: Path) -> tuple[float, float, float, float]:
    """Milliseconds of a bare box, and of a child's on top; how many times that is; and of that, to plan it. In turns,
    so that a noisy machine disturbs all alike.
    """
    os.environ["SAMOLOOP_SANDBOX"] = "off"
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
    return median(bare), median(more), ratio, median(planned)


def ordinary(folder: Path) -> list[Row]:
    """The same, where root can become somebody else and that one can make a box."""
    name = "  the same as an ordinary user"
    if os.getuid() or not shutil.which("setpriv"):
        return []
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    folder.parent.chmod(0o755)
    program = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", sys.executable, __file__]
    environ = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    done = subprocess.run([*program, str(folder)], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        return [Row(name, f"not measured: {(done.stderr.strip().splitlines() or ['it failed'])[-1][:200]}")]
    _, more, ratio, _ = json.loads(done.stdout.splitlines()[-1])
    return [Row(name, f"{more:.1f} ms = {ratio:.2f} × floor", "≤ 10 ms", more <= 10)]


def rows(folder: Path) -> list[Row]:
    bare, more, ratio, planned = measured(folder)
    return [
        Row("floor: bubblewrap around `true`, with one mount", f"{bare:.1f} ms"),
        Row("the box of a child, on top", f"{more:.1f} ms = {ratio:.2f} × floor", "≤ 10 ms", more <= 10),
        Row("  of that, to plan it", f"{planned:.1f} ms"),
        *ordinary(folder / "ordinary"),
    ]


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]))))
