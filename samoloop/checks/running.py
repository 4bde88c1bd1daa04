"""One run of a check: a child like any other, whose output is bounded and whose results are read when it has ended."""

import errno
import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from samoloop.base import programs
from samoloop.base.durations import format_seconds
from samoloop.base.files import open_plain, read_plain
from samoloop.base.locks import holders
from samoloop.base.values import frozen
from samoloop.checks import results
from samoloop.checks.check import Check
from samoloop.checks.receipts import Outcome
from samoloop.checks.results import Counted
from samoloop.children import wrapper
from samoloop.children.child import MARKER, Child, Spec
from samoloop.children.processes import Mark, become_subreaper, find, sweep
from samoloop.children.stop import StopRequest
from samoloop.core.events import Event
from samoloop.core.limits import EndedBy, Limits

OUTPUT_BYTES = 64_000_000  # that a check may print before it is ended
REPORT_BYTES = 20_000_000  # of JUnit files that are read
TAIL_BYTES = 4096  # of the output that whoever mends it is shown
_READ_BYTES = 4_000_000  # of the output's end that are looked through for a summary
_TERMINATE_SECONDS = 10.0
_SWEEP_SECONDS = 0.5
_MARK = "--samoloop-results--"
# What the tests print goes to the log, and their JUnit files, which nobody may find in the tree, to the one beside it.
# Files of another tree come as an archive on standard input and are put in place first.
SCRIPT = r"""
exec 3>&2 2>&1
command=$1 folder=$2 swap=$3 most=$4 mark=$5; shift 5
results=$(mktemp -d) || exit 126
if [ "$swap" = swap ]; then
  mkdir "$results/in" && tar -xf - -C "$results/in" || exit 126
  xargs -0 rm -rf -- <"$results/in/gone" || exit 126
  [ ! -d "$results/in/files" ] || cp -RP "$results/in/files/." . || exit 126
  rm -rf "$results/in"
fi
cd "./$folder" || exit 126
IFS='
'
rm -f -- $*
unset IFS
SAMOLOOP_RESULTS=$results
export SAMOLOOP_RESULTS
sh -c "$command" 3>&- </dev/null
code=$?
IFS='
'
for file in "$results"/*.xml $*; do
  [ ! -f "$file" ] || { printf '\n%s\n' "$mark"; head -c "$most" "$file"; } >&3
done
rm -rf "$results"
exit $code
"""
_PYTEST = re.compile(  # alone, without a shell's operators
    r"(?:\w+=\S+ +)*(?:(?:uv|poetry|pipenv|hatch|pdm) run +)?(?:(?:\S*/)?python[\d.]* +-m +pytest|(?:\S*/)?pytest)"
    r"(?: [^|;&<>`$()]*)?"
)

_KILLED = "something killed it"  # a person, a lack of memory, or its own tests
_LOST = "nobody knows how it ended"
_OF_THE_MACHINE = frozenset(  # EAGAIN: there are too many processes for one more
    {
        *(errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN),
    }
)


@frozen
class Job:
    """All that a run needs."""

    check: Check
    root: Path  # the tree; the check's folder lies in it
    environ: Mapping[str, str]
    stem: Path
    lock: Path
    marker: str
    within: Sequence[str] = ()  # the words in front that put it in a box
    seconds: float | None = None  # instead of the check's own limit
    swap: Path | None = None  # an archive of files that are put in place first
    beside: bool = False  # the worker does other work meanwhile


@frozen
class Ran:
    """How a run ended."""

    outcome: Outcome
    counted: Counted
    exit: int | None
    seconds: float
    why: str  # beside exit code and numbers; empty for nothing to say
    log: Path
    timed_out: bool = False

    @property
    def is_lost(self) -> bool:
        """Something may have ended it from outside, and then it says nothing of the tree."""
        return self.why in (_LOST, _KILLED)


class _Silent:
    """A check says nothing to the worker while it runs."""

    interrupt_first = False
    starts_at_once = True

    def feed(self, line: bytes) -> list[Event]:
        return []

    def finish(self, exit_code: int | None, stderr_tail: str) -> list[Event]:
        return []


class _Bounded(StopRequest):
    """Another one's wish to stop, and the end of a check that prints without end."""

    def __init__(self, outer: StopRequest, log: Path) -> None:
        super().__init__()
        self._outer = outer
        self._log = log

    @property
    def too_long(self) -> bool:
        try:
            return self._log.lstat().st_size > OUTPUT_BYTES
        except OSError:
            return False

    @property
    def now(self) -> bool:
        return self._outer.now or self.too_long

    @property
    def now_fd(self) -> int:
        return self._outer.now_fd


def run(job: Job, stop: StopRequest) -> Ran:
    """Run it to its end, its limit or the bound of its output, and sweep up what it left.

    Raises Cut where this process was asked to stop, and ProviderError where not even a shell can be started.
    """
    become_subreaper()
    check, log = job.check, wrapper.logs(job.stem)[0]
    words = [command_here(check, job.root, job.environ), check.folder or ".", "swap" if job.swap else "plain"]
    spec = Spec(
        argv=[*job.within, "/bin/sh", "-c", SCRIPT, "check", *words, str(REPORT_BYTES), _MARK, *check.junit],
        env=job.environ,
        cwd=job.root,
        stdin=job.swap,
        stem=job.stem,
        lock=job.lock,
        marker=job.marker,
        beside=job.beside,
    )
    habits, bounded = _Silent(), _Bounded(stop, log)
    child = Child.spawn(spec)
    limits = Limits(job.seconds or check.seconds, None, None, None, _TERMINATE_SECONDS)
    ended = child.wait(
        limits, habits=habits, reader=habits, signal_ready=lambda: False, on_events=lambda events: None, stop=bounded
    )
    if ended.by is EndedBy.STOP and not bounded.too_long:
        raise programs.Cut(f"the check {check.name} was ended, because samoloop was asked to stop")
    text = _end(log, _READ_BYTES)
    reports = _reports(job.stem)
    stranger = ended.exit_code == 0 and reports == [] and _is_pytest(check)  # what printed that was not pytest
    counted = results.from_junit(reports or ()) or (None if stranger else results.from_output(text)) or Counted()
    if bounded.too_long:
        os.truncate(log, OUTPUT_BYTES)
        why = f"it printed more than {OUTPUT_BYTES // 1_000_000} MB and was ended"
        return Ran(Outcome.UNVERIFIED, counted, ended.exit_code, ended.seconds, why, log)
    if ended.by is EndedBy.TIME:
        why = f"it did not end within {format_seconds(limits.total)} and was ended"
        return Ran(Outcome.UNVERIFIED, counted, ended.exit_code, ended.seconds, why, log, timed_out=True)
    outcome, why = understand(ended.exit_code, counted, text or _wrapper_said(job.stem))
    return Ran(outcome, counted, ended.exit_code, ended.seconds, why, log)


def understand(exit_code: int | None, counted: Counted, text: str) -> tuple[Outcome, str]:
    """What an ended run says, and why where its numbers do not tell."""
    if exit_code is None:
        return Outcome.UNVERIFIED, _LOST
    if exit_code == -signal.SIGKILL and not counted.failed:
        return Outcome.FAILED, _KILLED
    if exit_code == 0:
        if counted.failed:
            return Outcome.FAILED, "it ended with 0 though tests failed"
        return (Outcome.PASSED, "") if counted.passed else (Outcome.UNCOUNTED, "no test was counted")
    if not counted.ran:
        if why := results.unable(exit_code, text):
            return Outcome.UNVERIFIED, f"it could not be run: {why}"
        if re.search(r"\bno tests? (?:ran|found|to run|collected|files found)\b|^Ran 0 tests", text, re.I | re.M):
            return Outcome.UNCOUNTED, "no test ran"
    return Outcome.FAILED, ""


def not_run(error: Exception, stem: Path) -> Ran:
    """A run that did not begin. Raises the error where it is the machine's: no child could mend it."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError) and cause.errno in _OF_THE_MACHINE:
        raise error
    why = f"it could not be run: {error}"
    return Ran(Outcome.UNVERIFIED, Counted(), None, 0.0, why, wrapper.logs(stem)[0])


def lost(stem: Path) -> Ran:
    """A run of which nothing is known."""
    return Ran(Outcome.UNVERIFIED, Counted(), None, 0.0, _LOST, wrapper.logs(stem)[0])


def end_left(marker: str, lock: Path) -> None:
    """End what the check of a worker that died left."""
    sweep(lambda: find(Mark(MARKER, marker), None) | {*holders(lock)} - {os.getpid()}, _SWEEP_SECONDS)


def tail_of(log: Path) -> str:
    """The end of a run's output, for whoever mends it."""
    return _end(log, TAIL_BYTES).strip()


def _wrapper_said(stem: Path) -> str:
    """What a box or a shell said where the check itself said nothing."""
    return _end(wrapper.logs(stem)[1], TAIL_BYTES)


def _end(path: Path, limit_bytes: int) -> str:
    try:
        with open_plain(path) as file:
            file.seek(max(file.seek(0, 2) - limit_bytes, 0))
            return file.read(limit_bytes).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def _reports(stem: Path) -> list[bytes] | None:
    """The JUnit files that the run left; None where they are too large to be read."""
    try:
        data = read_plain(wrapper.logs(stem)[1], REPORT_BYTES) or b""
    except ValueError:
        return None
    return data.split(f"\n{_MARK}\n".encode())[1:]


# --- the command, as it is run here -----------------------------------------------------------------------------------


def command_here(check: Check, root: Path, environ: Mapping[str, str]) -> str:
    """The command with the project's own Python, and with a file of results where the runner can write one."""
    command = check.command
    if check.is_found and command.startswith("python3 "):
        command = _python(root, check.folder, environ) + command.removeprefix("python3")
    if not check.junit and _is_pytest(check):
        command = f'{command} --junitxml="$SAMOLOOP_RESULTS/pytest.xml"'
    return command


def _is_pytest(check: Check) -> bool:
    return _PYTEST.fullmatch(check.command.strip()) is not None


def _python(root: Path, folder: str, environ: Mapping[str, str]) -> str:
    """The Python of the project: its virtual environment's, its manager's, else the first on the path."""
    for place in dict.fromkeys((root / folder, root)):
        for name in (".venv/bin/python", "venv/bin/python"):
            if os.access(place / name, os.X_OK):
                return _quoted(str(place / name))
    path = environ.get("PATH")
    for lock, manager in (("uv.lock", "uv"), ("poetry.lock", "poetry")):
        if (root / folder / lock).is_file() and shutil.which(manager, path=path):
            return f"{manager} run python"
    return "python3" if shutil.which("python3", path=path) else "python"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
