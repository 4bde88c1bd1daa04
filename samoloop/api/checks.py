"""The checks of a project, without a session: what would be run and why, and what it says now."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from samoloop.base.durations import format_seconds
from samoloop.base.errors import GitError
from samoloop.base.values import frozen
from samoloop.checks import copies, examining, finding, running
from samoloop.checks.check import Check
from samoloop.checks.receipts import Kind, Outcome
from samoloop.checks.running import Job, Ran
from samoloop.children.stop import StopRequest
from samoloop.config import workflow_files
from samoloop.config.loading import Config
from samoloop.core.control import CHILD_LOCK
from samoloop.git.repo import Repo
from samoloop.worker import box, launching


@frozen
class Known:
    """What a session that starts now would run."""

    base: str  # the commit by which it was found; empty without git
    checks: tuple[Check, ...]
    said: str


def known(config: Config, root: Path) -> Known:
    """The checks by the settings, else by the files of the commit that is checked out."""
    try:
        repo = Repo.find(root)
        base = repo.resolve("HEAD")
        found = finding.look(repo.store, base, config.checks)
    except GitError:
        settled = {} if config.checks is None else config.checks
        checks = tuple(finding.settled(settled, {}))
        return Known("", checks, finding.described(checks) if checks else "unchecked: there is no commit to look at")
    return Known(base, found.checks, found.said)


def when(check: Check, config: Config) -> str:
    """On leaving which phases a check runs, in the workflow of the settings."""
    workflow = workflow_files.load(config.workflow, config.root)
    due = [name for name in workflow.names if finding.is_due(check, workflow, name, at_end=False)]
    ends = finding.is_due(check, workflow, workflow.last, at_end=True)
    words = [f"on leaving {', '.join(due)}"] if due else []
    return " and ".join([*words, *(["at the end"] if ends and workflow.last not in due else [])]) or "never"


def run(
    check: Check, config: Config, where: Path, environ: Mapping[str, str], stop: StopRequest, say: Callable[[str], None]
) -> Ran:
    """Run a check now, on the folder as it is, in a copy of it where there can be one."""
    with tempfile.TemporaryDirectory(prefix="samoloop-check-") as name:
        folder = Path(name)
        within, place = copies.around(config.sandboxing(""), box.of_project(config, where, environ), where)
        if place != copies.COPY:
            say(f"there is no bubblewrap that can make copies here, so the check runs in {where} itself")
        job = Job(
            check,
            where,
            environ=launching.child_environment(config, environ),
            stem=folder / "001-check",
            lock=folder / CHILD_LOCK,
            marker=folder.name,
            within=within,
        )
        ran = running.run(job, stop)
        say(f"{examining.said(check, Kind.NOW, ran, flaky=False)} ({format_seconds(ran.seconds)})")
        if ran.outcome is not Outcome.PASSED:
            say(running.tail_of(ran.log))
        return ran
