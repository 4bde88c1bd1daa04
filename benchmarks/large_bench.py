"""A fleet with a repository of 2 GB: `python benchmarks large`, which needs 10 GB of disk and some minutes."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from measure import Row

from samoloop.fleet.postgres import Postgres

TESTS = Path(__file__).resolve().parent.parent / "tests"
FILES, BYTES = 200, 10_000_000  # that do not compress


def rows(folder: Path) -> list[Row]:
    sys.path[:0] = [str(TESTS), str(TESTS / "fleet")]
    return list(_rows(folder))


def _rows(folder: Path) -> Iterator[Row]:
    from at_work import hosts, waits
    from kit import GOOD_CHILD, until

    with Postgres() as server, hosts(folder, server.url, GOOD_CHILD, "ann", "ben", fill=_fill) as (ann, ben):
        ben.start()
        worker = ben.worker.pid if ben.worker else 0
        began = time.monotonic()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        handed_in = time.monotonic()
        until(lambda: waits(ann, "x"), 600)
        at_gate = time.monotonic()
        yield Row("large: 2 GB, handed in", f"{handed_in - began:.1f} s")
        yield Row("large: then, on another machine, its checkout and two iterations", f"{at_gate - handed_in:.0f} s")
        yield Row("large: memory of `fleet work`, at most", f"{_most_mb(worker):.0f} MB")


def _fill(seed: Path) -> None:
    for number in range(FILES):
        (seed / f"{number}.bin").write_bytes(os.urandom(BYTES))


def _most_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
