"""What a session would be, found out without making it: phases, gates, limits, CLIs, sizes of the prompts."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from samoloop.api.assembly import STATIONS
from samoloop.api.earlier import Earlier, earlier, in_words
from samoloop.api.hand_off import Handoff
from samoloop.base.durations import format_seconds
from samoloop.base.values import frozen
from samoloop.checks import finding
from samoloop.checks.check import Check
from samoloop.config.loading import Config
from samoloop.core.ceilings import Ceilings
from samoloop.core.records import Created, Prepared
from samoloop.core.session import Session, slug_of, title_of
from samoloop.core.state import fold
from samoloop.core.workflow import Phase, Workflow
from samoloop.worker.iteration import build_prompt
from samoloop.worker.worker import Worker


@frozen
class PhaseAhead:
    """One phase as it would run."""

    phase: str
    child: bool
    gate: str | None
    next: tuple[str, ...]
    max_iterations: int
    limit_seconds: float  # of one child
    providers: tuple[str, ...]  # the first that is not limited is taken
    model: str | None  # None: the CLI's own default
    effort: str | None
    profile: str | None
    permissions: str
    skills: tuple[str, ...]
    checks: tuple[str, ...]  # commands that the worker runs itself before the phase is left
    prompt_bytes: int | None  # of the first prompt; None without a child


@frozen
class DryRun:
    """A session that is not made."""

    session: str
    title: str
    workflow: str
    base: str | None  # a commit; None in place
    start: str  # what the person calls it, where it is not simply the checkout's
    branch: str  # one of the person's to work on; empty: one is made
    steps: tuple[PhaseAhead, ...]
    settings: Config
    missing: str  # why the CLI could not be started; empty where it could
    earlier: Earlier | None  # what sessions of this shape took; None: there was none

    def to_json(self) -> dict[str, Any]:
        steps = [{**vars(step), "next": list(step.next)} for step in self.steps]
        settings = self.settings
        return {
            **{key: getattr(self, key) for key in ("session", "title", "workflow", "missing")},
            **{key: getattr(self, key) for key in ("base", "start", "branch")},
            "earlier": self.earlier.to_json() if self.earlier else None,
            "phases": steps,
            "limits": {name: value for name, value in vars(settings.limits).items()},
            "ceilings": vars(settings.ceilings),
            "setup": settings.setup,
        }


def look_ahead(
    planned: Handoff, *, name: str | None, now: datetime, environ: Mapping[str, str], missing: str = ""
) -> DryRun:
    """The session that this hand-off would make. Raises ConfigError for an unknown profile."""
    settings, workflow, start = planned.settings, planned.workflow, planned.start
    base = start.commit if start else None
    session = f"{now:%y-%m-%d}-{name or slug_of(planned.task)}"
    place = settings.sessions_dir / session
    repo = planned.repo
    checks = finding.look(repo.store, base, settings.checks).checks if repo and base else ()
    steps = tuple(_step(settings, workflow, phase, place, base, checks) for phase in workflow.phases)
    return DryRun(
        session,
        title_of(planned.task),
        workflow.name,
        base,
        start.words if start else "",
        start.branch if start else "",
        steps,
        settings,
        missing,
        earlier(workflow, settings.sessions_dir, environ),
    )


class _Imagined(Session):
    """A session that is not made, as it would stand when it has just come to a phase."""

    def __init__(self, folder: Path, settings: Config, workflow: Workflow, phase: Phase, base: str | None):
        super().__init__(folder)
        branch, worktree = f"{settings.branch_prefix}{self.undated}", settings.worktrees_dir / folder.name
        created = Created(session=self.name, workflow=workflow, base=base, branch=branch, worktree=worktree)
        self._state = fold([created, Prepared(phase=phase.name)])


def prompt_bytes(settings: Config, workflow: Workflow, phase: Phase, place: Path, base: str | None) -> int:
    """The size of the first prompt of a phase, with nothing new in it, for a session in the folder `place`."""
    session = _Imagined(place, settings, workflow, phase, base)
    worker = Worker(session, settings, stations=STATIONS)
    return len(build_prompt(worker, session.stem(1, phase.name, 1), 1, []).text.encode())


def lines(run: DryRun) -> Iterator[str]:
    """For a terminal."""
    yield f"{run.session}: {run.title}"
    where = "in place, no branch"
    if run.base:
        called = f" ({run.start})" if run.start else ""
        on = f" on branch {run.branch}" if run.branch else ""
        where = f"a worktree of its own{on}, from commit {run.base[:12]}{called}"
    yield f"workflow {run.workflow}, {where}. Nothing is started or written."
    yield ""
    width = max(len(step.phase) for step in run.steps)
    for step in run.steps:
        yield f"  {step.phase:<{width}}  {_describe(step)}"
        if step.gate:
            yield f"  {'':<{width}}  GATE: {step.gate} by a person before it is left"
    yield ""
    limits = {"silence": run.settings.limits.silence, "first byte": run.settings.limits.first_byte}
    shown = [f"{word} {format_seconds(value)}" for word, value in limits.items() if value is not None]
    yield f"limits    {', '.join(shown) or 'only those of time'}"
    yield f"ceilings  {_ceilings(run.settings.ceilings)}"
    yield f"setup     {run.settings.setup or 'none'}"
    commands = dict.fromkeys(command for step in run.steps for command in step.checks)
    checks = [f"{command} ({', '.join(s.phase for s in run.steps if command in s.checks)})" for command in commands]
    yield f"checks    {'; '.join(checks) or 'none'}"
    yield f"earlier   {in_words(run.earlier, run.workflow)}"
    if run.missing:
        yield f"missing   {run.missing}"


def _step(
    settings: Config, workflow: Workflow, phase: Phase, place: Path, base: str | None, checks: tuple[Check, ...]
) -> PhaseAhead:
    own = settings.phase(phase.name)
    providers = settings.candidates(phase.name) if phase.child else ()
    at_end = phase.name == workflow.last
    return PhaseAhead(
        phase=phase.name,
        child=phase.child,
        gate=phase.gate,
        next=workflow.next_phases(phase.name),
        max_iterations=phase.max_iterations,
        limit_seconds=settings.limits_for(phase.name, phase.iteration_seconds).total,
        providers=providers,
        model=settings.model_for(phase.name, providers[0]) if providers else None,
        effort=own.effort or settings.effort,
        profile=own.profile or settings.profile,
        permissions=own.permissions or settings.permissions,
        skills=phase.skills,
        checks=tuple(check.command for check in checks if finding.is_due(check, workflow, phase.name, at_end=at_end)),
        prompt_bytes=prompt_bytes(settings, workflow, phase, place, base) if phase.child else None,
    )


def _describe(step: PhaseAhead) -> str:
    if not step.child:
        return "done by the worker, no child"
    who = " or ".join(step.providers) + (f" {step.model}" if step.model else "")
    extras = [f"effort {step.effort}" if step.effort else "", f"as {step.profile}" if step.profile else ""]
    parts = [
        " ".join(filter(None, [who, *extras])),
        f"permissions {step.permissions}",
        f"at most {step.max_iterations} × {format_seconds(step.limit_seconds)}",
        f"prompt {step.prompt_bytes:,} bytes",
    ]
    return ", ".join(parts)


def _ceilings(ceilings: Ceilings) -> str:
    parts = [
        f"{ceilings.iterations} iterations" if ceilings.iterations else "",
        f"{format_seconds(ceilings.wall_seconds)} of work" if ceilings.wall_seconds else "",
        f"{ceilings.cost_usd:.2f} USD" if ceilings.cost_usd else "",
    ]
    return ", ".join(filter(None, parts)) or "none"
