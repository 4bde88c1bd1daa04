"""What `run` was asked for beside the task, made into the task and the workflow of the new session."""

from dataclasses import dataclass, replace

from samoloop.api import findings
from samoloop.base.errors import UsageError
from samoloop.config import workflow_files
from samoloop.config.loading import Config
from samoloop.core.session import Session, resolve
from samoloop.core.workflow import Workflow

FOCUSES = ("security", "performance", "quality", "accessibility")
_AUDIT, _FIX, _FEATURE, _IMPROVE = "audit", "fix", "feature", "improve"


@dataclass(frozen=True)
class Wishes:
    """Flags of `run` that say what the session is about."""

    workflow: str | None = None  # as the person named it; None leaves it to the other flags, then to the settings
    until: str | None = None  # the last phase
    source: str | None = None  # a session whose findings are to be mended
    focus: str | None = None  # of an audit

    @property
    def given(self) -> str:
        """The first flag that only a new session can have; empty where none is given."""
        flags = {"--until": self.until, "--from": self.source, "--focus": self.focus}
        return next((flag for flag, value in flags.items() if value), "")


@dataclass(frozen=True)
class Handoff:
    """What a new session starts with."""

    settings: Config
    workflow: Workflow
    task: str


def prepare(settings: Config, wishes: Wishes, words: str | None) -> Handoff:
    """The task and the workflow that are meant. Raises UsageError or ConfigError for wishes that cannot be met.

    Findings are mended by `fix`, an improvement is made by `feature`, a focus belongs to `audit`, unless the person
    names another workflow.
    """
    source = resolve(settings.sessions_dir, wishes.source) if wishes.source else None
    name = wishes.workflow or _implied(wishes, source) or settings.workflow
    workflow = workflow_files.load(name, settings.root)
    task = findings.as_task(source, words) if source else words
    if wishes.focus:
        task = _focused(wishes.focus, workflow, task)
    if task is None:
        raise UsageError('there is no task: samoloop run "Add JWT auth", or --file FILE')
    return Handoff(replace(settings, workflow=name), _until(workflow, wishes.until), task)


def _implied(wishes: Wishes, source: Session | None) -> str | None:
    if source:
        return _FEATURE if source.state().live_workflow.name == _IMPROVE else _FIX
    return _AUDIT if wishes.focus else None


def _until(workflow: Workflow, name: str | None) -> Workflow:
    if name is None:
        return workflow
    known = [phase.name for phase in workflow.phases if phase.child]
    if name not in known:
        raise UsageError(f"--until {name}: the workflow {workflow.name} has no such phase; it has: {', '.join(known)}")
    return workflow.until(name)


def _focused(focus: str, workflow: Workflow, task: str | None) -> str:
    if _AUDIT not in workflow.names:
        raise UsageError(f"--focus {focus} is for an audit, and the workflow {workflow.name} has no phase {_AUDIT}")
    return f"{(task or f'Audit this project: {focus}').strip()}\n\nFocus: {focus}, and nothing else.\n"
