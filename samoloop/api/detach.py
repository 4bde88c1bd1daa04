"""A worker in the background: a process of its own, which neither a terminal nor a connection takes along."""

import json
import subprocess
import sys
from collections.abc import Mapping

from samoloop.api.asked import How
from samoloop.api.go_on import refuse_if_over, settle
from samoloop.base.clock import Clock
from samoloop.base.errors import LockHeld, SessionError
from samoloop.base.files import open_log, put_folder, tail
from samoloop.children.warm import Fork, Warm
from samoloop.core import gates
from samoloop.core.decision import EXIT_CODES
from samoloop.core.session import Session
from samoloop.worker.lease import FILES, Lease

START_SECONDS = 10.0
LOG = "worker.log"
PROGRAM = (sys.executable, "-m", "samoloop")

Started = subprocess.Popen[bytes] | Fork


def detach(session: Session, how: How, environ: Mapping[str, str], lease: Lease = FILES) -> int:
    """Start a worker that goes on with the session, and return its process once it holds the session.

    Raises LockHeld where another one is at work, and SamoloopError for what a person has said wrong.
    """
    if lease.is_held(session.dir):
        raise LockHeld(f"a worker is at work on {session.name} already; watch it: samoloop log {session.name} -f")
    refuse_if_over(session, how)
    settle(session, how, environ)
    if how.words and how.by is not None:
        gates.tell(session.dir, how.words, how.by)
    process = spawn(session, how, environ)
    clock = Clock()
    deadline = clock.monotonic() + START_SECONDS
    while not lease.is_held(session.dir) and process.poll() is None and clock.monotonic() < deadline:
        clock.wait([], 0.02)
    if (code := process.poll()) not in (None, *EXIT_CODES.values()):
        said = tail(session.logs / LOG, 1000)
        raise SessionError(f"the worker ended at once with {code}; it said:\n{said}")
    return process.pid


def warm_process(environ: Mapping[str, str]) -> Warm | None:
    """What workers can be forked from; None where the system has no way."""
    return Warm([*PROGRAM, "up", "--forks"], environ) if sys.platform == "linux" else None


def spawn(session: Session, how: How, environ: Mapping[str, str], warm: Warm | None = None) -> Started:
    """A worker process for the session, forked from the warm one if there is one; what it says goes to its log.

    Raises OSError.
    """
    argv, folder = command(session, how), session.state().created.root
    put_folder(session.logs)
    with open_log(session.logs / LOG) as log:
        return (warm and warm.fork(argv, folder, log.fileno())) or subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def command(session: Session, how: How) -> list[str]:
    """The command line of such a worker."""
    given = {"--yes": how.yes, "--no-wait": how.no_wait, "--once": how.once}
    given |= {"--allow-sleep": how.allow_sleep, "--now": how.now}
    argv = [*PROGRAM, "resume", str(session.dir), "--worker"]
    argv += [flag for flag, wanted in given.items() if wanted]
    argv += [f"--by={how.by}"] if how.by is not None else []
    argv += [f"--shown={how.shown}"] if how.shown else []
    return [*argv, f"--said={json.dumps(dict(how.said))}"] if how.said else argv
