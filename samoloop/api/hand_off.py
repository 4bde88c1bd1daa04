"""Hand off: what a person asks for becomes a session. All that can be refused is refused before anything is made."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from samoloop.api import bring, findings
from samoloop.api.asked import Order, Wishes
from samoloop.api.settings import remembered
from samoloop.base.clock import Clock
from samoloop.base.errors import UsageError
from samoloop.base.nearest import named
from samoloop.base.values import frozen
from samoloop.config import loading, projects, workflow_files
from samoloop.config.loading import Config
from samoloop.core.session import Session, check_name, resolve
from samoloop.core.workflow import Workflow
from samoloop.git import remote
from samoloop.git.repo import Repo
from samoloop.worker import launching, prepare
from samoloop.worker.prepare import Brought

FETCH = "fetch"  # instead of a revision
AS_IT_IS = "as it is"  # what the start of a session on a branch of the person's is called
_AUDIT, _FIX, _FEATURE, _IMPROVE = "audit", "fix", "feature", "improve"


@frozen
class Start:
    """From where the work starts."""

    commit: str
    words: str = ""  # what the person calls it, where it is not simply their checkout's
    branch: str = ""  # one of theirs, which the session works on; else one is made


@frozen
class Handoff:
    """An order that was looked at: what the new session starts with."""

    settings: Config
    workflow: Workflow
    task: str
    repo: Repo | None
    start: "Start | None"  # None in place
    brought: Brought  # documents that the session starts with


def hand_off(order: Order, environ: Mapping[str, str]) -> Session:
    """A new session folder for the order; its project is registered. No child starts: that is `go_on`.

    The session remembers what was said and what the environment says now. Raises SamoloopError, with nothing made,
    for what cannot be met: a setting, a workflow, a provider that is missing, a revision, a name.
    """
    planned = plan(order, environ)
    launching.rehearse(planned.settings, planned.workflow, environ, elsewhere=order.elsewhere)
    projects.register(order.root, environ)
    return prepare.create(
        planned.settings,
        planned.workflow,
        planned.task,
        repo=planned.repo,
        base=planned.start.commit if planned.start else None,
        start=planned.start.words if planned.start else "",
        name=order.name,
        settings=remembered(planned.settings, order.said),
        environment=loading.from_environment(environ),
        brought=replace(planned.brought, by=order.by, branch=planned.start.branch if planned.start else ""),
        backlog=order.backlog,
        mark=order.mark,
        now=Clock().local,
    )


def plan(order: Order, environ: Mapping[str, str], *, fetches: bool = True) -> Handoff:
    """What the order means, found out without making anything. Without `fetches`, nothing is fetched either, and where
    that would be the start it is guessed.

    Findings are mended by `fix`, an improvement is made by `feature`, a focus belongs to `audit`, unless the person
    names another workflow. Raises SamoloopError for what cannot be met.
    """
    _refuse_path(order.root)
    wishes = order.wishes
    said = dict(order.said) | ({"workflow": wishes.workflow} if wishes.workflow else {})
    settings = loading.load(order.root, environ, said)
    source = resolve(settings.sessions_dir, wishes.source) if wishes.source else None
    name = wishes.workflow or _implied(wishes, source) or settings.workflow
    workflow = workflow_files.reviewed(workflow_files.load(name, settings.root), settings.reviewers, settings.root)
    if order.backlog and order.backlog.merges:
        workflow = workflow_files.integrated(workflow, settings.root)
    task = findings.as_task(source, order.task) if source else order.task
    if wishes.focus:
        task = _focused(wishes.focus, workflow, task)
    brought, start = Brought(), ""
    if wishes.folder:
        brought, start, own = bring.folder(wishes.folder, workflow, Clock().local())
        task = task or own
    if wishes.plan:
        brought, start = bring.plan(brought, wishes.plan, workflow, Clock().local())
        task = task or f"Carry out the plan {wishes.plan.name}: {bring.title(brought)}"
    if task is None:
        raise UsageError('there is no task: samoloop run "Add JWT auth", or --file FILE')
    if order.name:
        check_name(order.name)
    repo = None if order.base is None else Repo.find(order.root)
    workflow = _until(workflow, wishes.until)
    if start and start not in workflow.names:
        raise UsageError(f"--until {wishes.until} ends before {start}, where a session with those documents starts")
    workflow = workflow.since(start) if start else workflow
    at = _start(order, settings, repo, fetches) if repo else None
    return Handoff(replace(settings, workflow=name), workflow, task, repo, at, brought)


def _start(order: Order, settings: Config, repo: Repo, fetches: bool) -> Start:
    """From where the work starts: the last thing to be found out, because it may reach out of the machine."""
    if branch := (order.wishes.branch or "").removeprefix("refs/heads/"):
        prepare.refuse_second(settings.sessions_dir, branch)
        return Start(repo.existing_branch(branch), AS_IT_IS, branch)
    base = order.base or settings.base
    if base != FETCH:
        commit = repo.resolve(base)
        return Start(commit, order.called or ("" if base == "HEAD" or commit.startswith(base) else base))
    if fetches:
        return Start(*remote.fetch_default(repo))
    known = remote.known_tip(repo)
    words = f"{known.words}, to be fetched" if known else "to be fetched"
    return Start(known.commit if known else repo.resolve("HEAD"), words)


def _refuse_path(root: Path) -> None:
    """A session's files are UTF-8 and name the project."""
    try:
        str(root).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(root).decode(errors="replace")
        raise UsageError(f"the path {shown} is not UTF-8, so no session can name it: rename the folder") from None


def _implied(wishes: Wishes, source: Session | None) -> str | None:
    if source:
        return _FEATURE if source.state().live_workflow.name == _IMPROVE else _FIX
    return _AUDIT if wishes.focus else None


def _until(workflow: Workflow, name: str | None) -> Workflow:
    if name is None:
        return workflow
    known = [phase.name for phase in workflow.phases if phase.child]
    if name not in known:
        raise UsageError(
            f"--until {named(name, known)}: the workflow {workflow.name} has no such phase; it has: {', '.join(known)}"
        )
    return workflow.until(name)


def _focused(focus: str, workflow: Workflow, task: str | None) -> str:
    if _AUDIT not in workflow.names:
        raise UsageError(f"--focus {focus} is for an audit, and the workflow {workflow.name} has no phase {_AUDIT}")
    return f"{(task or f'Audit this project: {focus}').strip()}\n\nFocus: {focus}, and nothing else.\n"
