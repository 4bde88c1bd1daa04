"""The checks of a session: what its settings say, else what its project's files say at the base, and what the approved
plan adds. The base is what a child cannot have written.
"""

import functools
import re
from collections.abc import Mapping

from samoloop.base.durations import format_seconds
from samoloop.checks import discovery, receipts
from samoloop.checks.check import PLAN, SETTINGS, Check
from samoloop.checks.receipts import FOUND, NONE_FOUND, Found, Standing
from samoloop.checks.swap import section
from samoloop.config.keys import CheckSettings
from samoloop.core.workflow import Workflow
from samoloop.git.calls import Git
from samoloop.git.tree_files import entries, texts
from samoloop.worker import keeping
from samoloop.worker.worker import Worker

END = "done"  # the name by which a check's phases mean the end of the session
_MOST_PLANNED = 8
_PLANNED = re.compile(r"\s*[-*+]\s+(?:(?P<name>[\w][\w .-]{0,40}?)\s*:\s*)?`(?P<command>[^`]{1,500})`")


def base_of(worker: Worker) -> str:
    """The commit that the session started from; empty where there is none."""
    created = worker.state.created
    tip = created.base or (worker.store.ref(f"refs/heads/{created.branch}") if worker.config.commit else None)
    return keeping.base_of(worker, tip) if tip else ""


def known(worker: Worker, standing: Standing) -> Found:
    """The checks of the session, looked for once and journaled; again where the settings changed."""
    settings, found = worker.config.checks, standing.found
    if found is not None and found.checks and found.checks[0].is_found and settings is not None and not settings:
        return found
    fresh = look(worker.store, base_of(worker), settings)
    if fresh != found and (fresh.checks or fresh.off or found):
        worker.session.record(receipts.record(FOUND, fresh))
    if fresh != found and not worker.state.iteration:
        worker.view.say(fresh.said)
    return fresh


def look(store: Git, base: str, settings: Mapping[str, CheckSettings] | None) -> Found:
    """The checks by the settings, or by the files of a commit."""
    if settings is None:
        return Found(base=base, off=True, said="unchecked: checks: off in the settings")
    paths, read = _read(store, base) if base else ((), {})
    checks = tuple(settled(settings, read)) or tuple(discovery.discover(paths, read))
    if not checks:
        return Found(base=base, said=NONE_FOUND)
    return Found(base=base, checks=checks, said=described(checks))


@functools.lru_cache(maxsize=4)
def _read(store: Git, base: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """All paths of a commit, and the texts that tell how its tests are run: a commit does not change."""
    known = entries(store, base)
    wanted = [(path, known[path]) for path in discovery.worth_reading(known)]
    return tuple(known), texts(store, wanted, discovery.READ_BYTES)


def settled(settings: Mapping[str, CheckSettings], read: Mapping[str, str]) -> list[Check]:
    found = []
    for name, said in settings.items():
        behind, defined = discovery.definition(said.command, read)
        found.append(
            Check(
                name=name,
                command=said.command,
                source=SETTINGS,
                phases=said.phases,
                seconds=said.seconds,
                junit=said.junit,
                behind=behind,
                defined=defined,
            )
        )
    return found


def planned(plan: str, read: Mapping[str, str]) -> list[Check]:
    """What the section `Checks` of an approved plan adds: a command in backquotes on each line, before it its name."""
    found = []
    for line in section(plan, "checks").splitlines():
        if match := _PLANNED.match(line):
            command = match["command"].strip()
            behind, defined = discovery.definition(command, read)
            name = (match["name"] or command)[:60]
            found.append(Check(name=name, command=command, source=PLAN, behind=behind, defined=defined))
    return found[:_MOST_PLANNED]


def described(checks: tuple[Check, ...]) -> str:
    """What will be run and why, with the limit and what it means."""
    words = "; ".join(
        f"{check.name} (`{check.command}`, by {check.source}, at most {format_seconds(check.seconds)})"
        for check in checks
    )
    return f"checks that samoloop runs itself: {words}; one that takes longer proves nothing"


def is_due(check: Check, workflow: Workflow, phase: str, *, at_end: bool) -> bool:
    """Whether a check runs on leaving this phase. A workflow that says nothing of checks gets at its end those that a
    person asked for.
    """
    if check.phases:
        return phase in check.phases or (at_end and END in check.phases)
    if workflow.phase(phase).checks:
        return True
    return at_end and (not check.is_found or any(phase.checks for phase in workflow.phases))


def is_ever_due(check: Check, workflow: Workflow) -> bool:
    last = workflow.last
    return any(is_due(check, workflow, phase, at_end=phase == last) for phase in workflow.names)
