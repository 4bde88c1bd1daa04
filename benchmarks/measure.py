"""Shared by the benchmarks: a small project, rows of a table, and a floor measured in the same run."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

GIT = ["git", "-c", "user.name=Bench", "-c", "user.email=bench@example.org"]


@dataclass(frozen=True)
class Row:
    """One line of the table. `met` is None where the figure is for information."""

    name: str
    figure: str
    bound: str = ""
    met: bool | None = None


def project(folder: Path) -> Path:
    """A small repository with one commit."""
    root = folder / "repo"
    root.mkdir(parents=True)
    (root / "hello.txt").write_text("hello\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "First"]):
        subprocess.run([*GIT, *words], cwd=root, check=True)
    return root


def program(path: Path, body: str) -> Path:
    """An executable `sh` script."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def timed(action: Callable[[], object], count: int) -> list[float]:
    """Milliseconds of each call."""
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        action()
        times.append((time.perf_counter() - begin) * 1000)
    return times


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def resident_kb(pid: int | str = "self") -> int:
    """Resident memory of a process, in kB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise ValueError(f"no VmRSS for {pid}")


def cpu_seconds(pid: int | str = "self") -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
