"""`samoloop`, told apart by what it does: at its end it leaves a JSON object with the counts of the worker process.

python watched.py FILE samoloop-arguments...
"""

import atexit
import json
import os
import resource
import sys
from collections import Counter
from pathlib import Path

counts: Counter[str] = Counter()
target = Path(sys.argv[1]).absolute()
us = os.getpid()


def _heard(event: str, args: tuple[object, ...]) -> None:
    """Processes, opened files, and those of them in /proc."""
    if event in ("subprocess.Popen", "os.posix_spawn", "os.fork"):
        counts["processes"] += 1
    elif event == "open":
        counts["opens"] += 1
        counts["proc"] += str(args[0]).startswith("/proc/")


def _fsync(descriptor: int) -> None:
    counts["fsyncs"] += 1
    _real(descriptor)


def _leave() -> None:
    if os.getpid() != us:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    found = {**counts, "cpu_ms": (used.ru_utime + used.ru_stime) * 1000, "peak_kb": used.ru_maxrss}
    target.write_text(json.dumps(found))


_real, os.fsync = os.fsync, _fsync
sys.addaudithook(_heard)
atexit.register(_leave)
sys.argv = ["samoloop", *sys.argv[2:]]

from samoloop.ui.cli import main  # noqa: E402 - what it imports is counted too

main()
