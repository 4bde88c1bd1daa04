"""`samoloop`, told apart by what it does: at its end it leaves a JSON object with the counts of the worker process.

python watched.py FILE samoloop-arguments...
"""

import atexit
import json
import os
import resource
import sys
import threading
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


def _watched(pid: int) -> int:
    """A descriptor that becomes readable when a child has ended: for valgrind, which does not know pidfds."""
    reader, writer = os.pipe2(os.O_CLOEXEC)

    def wait() -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        os.close(writer)

    threading.Thread(target=wait, daemon=True).start()
    return reader


_real, os.fsync = os.fsync, _fsync
if "SAMOLOOP_BENCH_NO_PIDFD" in os.environ:
    os.pidfd_open = _watched
sys.addaudithook(_heard)
atexit.register(_leave)
sys.argv = ["samoloop", *sys.argv[2:]]

from samoloop.ui.cli import main  # noqa: E402 - what it imports is counted too

main()
