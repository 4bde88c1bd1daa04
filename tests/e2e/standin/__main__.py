"""Run the stand-in by hand: `python -m tests.e2e.standin --port 0 --script session [--fault rate-limit]`."""

import argparse
import contextlib

from . import Fault, Kind, Say, Shell, Standin, listed
from .session import session

SCRIPTS = {
    "session": session,
    "hello": listed([Shell("echo hello; pwd"), Say("Hello.")]),
    "write": listed([Shell("echo written > written.txt"), Say("Written.")]),
}


def main() -> None:
    """Print the address on the first line, then serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.standin", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--script", choices=SCRIPTS, default="session")
    parser.add_argument("--fault", choices=list(Kind), help="answer model calls with this fault")
    parser.add_argument("--after", type=int, default=0, help="answer so many model calls properly first")
    parser.add_argument("--times", type=int, help="so many calls fail; all, where not given")
    parser.add_argument("--retry-after", type=int, help="seconds, for rate-limit")
    parser.add_argument("--delay", type=float, default=5.0, help="seconds before the first byte, for slow")
    given = parser.parse_args()
    fault = None
    if given.fault:
        fault = Fault(Kind(given.fault), given.after, given.times, given.retry_after, given.delay)
    standin = Standin(SCRIPTS[given.script], fault, given.port)
    print(standin.url, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        standin.serve()


if __name__ == "__main__":
    main()
