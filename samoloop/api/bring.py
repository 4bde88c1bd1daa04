"""Documents that a person brings to a new session: a plan that exists, or a session's folder made without samoloop."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from samoloop.base.errors import UsageError
from samoloop.checks.items import items
from samoloop.core import overview
from samoloop.core.gates import LIMIT_BYTES, read_text
from samoloop.core.signals import GateKind
from samoloop.core.workflow import Workflow
from samoloop.worker.documents import DOCUMENT
from samoloop.worker.prepare import Brought

_QUESTIONS = "_qa.md"
_MOST = 200  # documents


def plan(brought: Brought, path: Path, workflow: Workflow, now: datetime) -> tuple[Brought, str]:
    """The plan in a file, approved by handing it over, and the phase at which it is carried out. Raises UsageError."""
    gated = next((phase for phase in workflow.phases if phase.gate is GateKind.PLAN_APPROVAL), None)
    following = workflow.after(gated.name) if gated else None
    if following is None:
        raise UsageError(f"--plan: the workflow {workflow.name} has no phase in which an approved plan is carried out")
    if gated and gated.backlog:
        raise UsageError(
            f"--plan: a list of tasks is approved in its session: samoloop run --workflow {workflow.name} --file {path}"
        )
    if not path.is_file():
        raise UsageError(f"--plan {path}: there is no such file")
    text = read_text(path.resolve())
    if text is None or not text.strip():
        raise UsageError(
            f"--plan {path}: it is empty, or larger than {LIMIT_BYTES // 1024 // 1024} MB, so nobody reads it"
        )
    open_items = [item for item in items(text) if item.box and not item.ticked]
    if not open_items:
        raise UsageError(
            f"--plan {path}: it has no open item, so there is nothing to carry out; write each as "
            "`- [ ] 1.1 <what becomes true>`"
        )
    slug = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:40] or "handed-over"
    name = path.name if DOCUMENT.fullmatch(path.name) and "-plan-" in path.name else f"{now:%m-%d-%H%M}-plan-{slug}.md"
    return replace(brought, files={**brought.files, name: text}, plan=name), following


def title(brought: Brought) -> str:
    """What the plan calls itself."""
    lines = brought.files[brought.plan].splitlines()
    return next((line.strip("# ").removeprefix("Plan: ") for line in lines if line.startswith("#")), brought.plan)


def folder(path: Path, workflow: Workflow, now: datetime) -> tuple[Brought, str, str | None]:
    """The documents of a folder, the phase at which a session with them starts, and its task if it tells one.

    A gate is never taken for passed: whoever has passed one says so again. Raises UsageError for a folder without any.
    """
    files: dict[str, str] = {}
    for entry in sorted(path.iterdir())[:_MOST]:
        if (DOCUMENT.fullmatch(entry.name) or entry.name == overview.FILE_NAME) and (text := read_text(entry)):
            files[entry.name] = text
    task = read_text(path / overview.TASK_FILE) or _quoted(files.get(overview.FILE_NAME, ""))
    if not files and not task:
        raise UsageError(
            f"{path} holds nothing that a session can go on from: no {overview.TASK_FILE}, no {overview.FILE_NAME}, no "
            "document called like 11-21-0930-dive-login.md"
        )
    if answers := read_text(path / _QUESTIONS):
        files[f"{now:%m-%d-%H%M}-answers-before.md"] = answers
    kinds = {match[2] for name in files if (match := DOCUMENT.fullmatch(name))}
    return Brought(files), _start(workflow, kinds), task


def _quoted(text: str) -> str | None:
    """The task as an overview quotes it."""
    section = re.search(r"^## Task\s*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    lines = [line.lstrip("> ") for line in section[1].splitlines()] if section else []
    return "\n".join(lines).strip() or None


def _start(workflow: Workflow, kinds: Mapping[str, object] | set[str]) -> str:
    """The first phase whose document is not there, or whose gate a person has yet to pass."""
    for phase in workflow.phases:
        if phase.child and (phase.gate or phase.leaves is None or phase.leaves not in kinds):
            return phase.name
    return workflow.last
