"""An old session of samocode becomes one of ours: looked at first, then made. The old folder is only read.

Only a human closes a gate: nothing in such a folder proves that one did, so a plan that was carried out is asked for
again where the session stands, unless the person who imports it says that they approved it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from samoloop.base.clock import Clock
from samoloop.base.errors import SessionError, UsageError
from samoloop.base.files import read_plain
from samoloop.base.locks import is_held
from samoloop.base.values import frozen
from samoloop.config import loading, projects, samocode, workflow_files
from samoloop.config.loading import Config
from samoloop.config.project import find_root
from samoloop.core import old_session, overview
from samoloop.core.gates import LIMIT_BYTES
from samoloop.core.old_session import OldSession
from samoloop.core.session import Session, is_session, slug_of
from samoloop.core.signals import GateKind, Signal, Status
from samoloop.core.workflow import Workflow
from samoloop.git.repo import Repo
from samoloop.worker import prepare
from samoloop.worker.prepare import Brought

WORKFLOW = "feature"  # whose phases the predecessor's are
_PLAN = GateKind.PLAN_APPROVAL
_MOST = 500  # files of a folder that are looked at
_APPROVED = "approved in samocode, says who imported it"
_LEASE = "_orchestrator.lock"


@frozen
class Wanted:
    """What a person says of an old session, where its folder does not."""

    folder: Path
    repo: Path | None = None
    phase: str | None = None
    plan: str | None = None  # a file in the folder
    branch: str | None = None
    approved: bool = False  # they approved the plan themselves
    by: str = ""


@frozen
class Place:
    """Where its work is."""

    branch: str
    base: str
    worktree: Path | None = None  # None: there is none, one is made
    new: bool = False  # there is no such branch yet


@frozen
class Look:
    """What an old session would become."""

    old: OldSession
    folder: Path
    repo: Repo
    settings: Config
    workflow: Workflow
    phase: str
    place: Place
    plan: str  # its name here; empty where none counts
    asked: GateKind | None  # the gate that opens
    approved: bool
    blocked: str  # why it rests until a person resumes it
    files: Mapping[str, str]  # what is taken over: name here -> text
    stays: tuple[str, ...]  # what is not
    by: str


def look(wanted: Wanted, environ: Mapping[str, str]) -> Look:
    """What the folder is and what it would become; nothing is made. Raises SamoloopError for what has no place here."""
    folder = wanted.folder.resolve()
    texts, names = _texts(folder)
    old = _readable(folder, old_session.read(folder.name, texts, names))
    repo = _repository(wanted, folder, old)
    settings = loading.load(repo.root, environ)
    workflow = workflow_files.load(WORKFLOW, repo.root)
    workflow = workflow_files.reviewed(workflow, settings.reviewers, repo.root)
    phase = _phase(wanted, old, workflow, folder)
    plan = _plan(wanted, old, workflow, phase, folder)
    asked = _asked(wanted, old, workflow, phase, plan)
    if wanted.approved and not plan:
        raise UsageError(f"--approved: {folder.name} stands in {phase} and has no plan that could be approved")
    if wanted.approved and _gate_of(workflow, phase) is _PLAN:
        phase = workflow.after(phase) or phase
    place = _place(wanted, old, repo, folder, environ, works=_is_past_plan(workflow, phase))
    if place.branch:
        prepare.refuse_second(settings.sessions_dir, place.branch)
    found = Look(
        old=old,
        folder=folder,
        repo=repo,
        settings=settings,
        workflow=workflow,
        phase=phase,
        place=place,
        plan=(old.documents or {}).get(plan, ""),
        asked=asked,
        approved=wanted.approved,
        blocked=_blocked(old, workflow, phase, asked),
        files={},
        stays=(),
        by=wanted.by,
    )
    return _with_files(found, texts, names, Clock().local())


def take_over(found: Look, environ: Mapping[str, str]) -> Session:
    """The new session, as it was looked at. Its gate is open and its documents are there; no child starts."""
    projects.register(found.repo.root, environ)
    gate = {} if found.asked is None else {"for": str(found.asked)}
    named = {"file": found.plan} if found.asked is _PLAN else {}
    return prepare.create(
        replace(found.settings, workflow=WORKFLOW),
        found.workflow,
        found.old.task or f"Go on with {found.old.name}, as {overview.FILE_NAME} says.",
        repo=found.repo,
        base=found.place.base,
        name=slug_of(found.old.name),
        settings={},
        environment=loading.from_environment(environ),
        brought=Brought(
            files=found.files,
            plan=found.plan if found.approved else "",
            said=_APPROVED,
            by=found.by,
            phase=found.phase,
            asks=Signal.from_json({"status": "waiting", **gate, **named}) if gate else None,
            asked_in=_asking_phase(found),
            blocked=found.blocked,
            branch="" if found.place.new else found.place.branch,
            worktree=found.place.worktree,
        ),
        now=Clock().local,
    )


def lines(found: Look) -> list[str]:
    """What would become of it, for a person."""
    old, place = found.old, found.place
    where = str(place.worktree) if place.worktree else "made anew"
    branch = f"{place.branch}, made from {place.base[:10]}" if place.new else f"{place.branch}, as it is"
    rows = {
        "session": f"{found.folder.name}, of {found.repo.root}",
        "task": (old.task or f"not told; it is called {old.name}").splitlines()[0],
        "phase": found.phase + (f" (its notebook says {old.phase})" if old.phase not in ("", found.phase) else ""),
        "waits": _waits(found),
        "branch": branch,
        "worktree": where,
        "taken": ", ".join(name for name in found.files if not name.startswith("_")) or "no document",
        "stays": f"{', '.join(found.stays)}; nothing in {found.folder} is changed",
    }
    said = [f"{key:<9} {value}" for key, value in rows.items() if value]
    if found.asked is _PLAN and _is_past_plan(found.workflow, found.phase):
        said.append(
            "Nothing in the folder proves that a person approved the plan, so it is asked for again: after "
            "`samoloop approve` it goes on where it stands. If you did approve it, import it with --approved."
        )
    return said


def answers_again(found: Look, name: str) -> list[str]:
    """The command that gives the answers once more that stood in the old folder; nothing where there is none."""
    again = old_session.again(found.old.questions) if found.asked is GateKind.QA_ANSWERS else ""
    said = "Answers stood there; whose they are, nobody can tell. To give them once more"
    return [f"{said}: samoloop answer {name} {again}"] if again else []


def _waits(found: Look) -> str:
    if found.asked is GateKind.QA_ANSWERS:
        return f"for answers to {', '.join(question.id for question in found.old.questions)}"
    if found.asked:
        return f"for approval of {found.plan}" + (f"; it was blocked: {found.blocked}" if found.blocked else "")
    if found.blocked:
        return f"blocked: {found.blocked}"
    return f"for nobody; {found.plan} counts as approved by you" if found.approved else "for nobody"


# --- what the folder says ---------------------------------------------------------------------------------------------


def _texts(folder: Path) -> tuple[dict[str, str], list[str]]:
    """The files right in the folder that are text, and the names of all that is in it. Raises UsageError."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder: name the session's own, such as _sessions/26-01-08-auth")
    if is_session(folder):
        raise UsageError(f"{folder.name} is a session of samoloop already: samoloop resume {folder.name}")
    if (folder / old_session.NESTED / overview.FILE_NAME).is_file():
        raise UsageError(
            f"{folder} keeps its session in {old_session.NESTED}/, a layout that samocode itself gave up: move these "
            "files one folder up, then import it"
        )
    texts, names = {}, []
    for entry in sorted(folder.iterdir())[:_MOST]:
        names.append(f"{entry.name}/" if entry.is_dir() else entry.name)
        if (text := _text(entry)) is not None:
            texts[entry.name] = text
    return texts, names


def _text(path: Path) -> str | None:
    """A file as it is; None for what is no text, no plain file, or more than anybody reads."""
    try:
        data = read_plain(path, LIMIT_BYTES)
        return None if data is None or len(data) > LIMIT_BYTES else data.decode("utf-8")
    except (OSError, ValueError):
        return None


def _readable(folder: Path, old: OldSession) -> OldSession:
    """Raises UsageError for a folder that tells too little, or nothing that goes on."""
    if not old.overview:
        raise UsageError(
            f"{folder} has no {overview.FILE_NAME} that can be read, so nothing tells its task or how far it came: "
            'start it anew with samoloop run "TASK"'
        )
    if old.status == Status.DONE:
        said = f" ({old.reason[:200]})" if old.reason else ""
        raise UsageError(
            f"{folder.name} is done{said}: there is nothing to go on with. One more thing on its branch is a new one: "
            'samoloop run --branch NAME "TASK"'
        )
    if is_held(folder / _LEASE):
        raise SessionError(f"samocode is at work on {folder.name}: let it end, or stop it, then import")
    return old


def _repository(wanted: Wanted, folder: Path, old: OldSession) -> Repo:
    """The project: named by the person, by a `.samocode` above the folder, by its working folder, or around here."""
    if wanted.repo is not None:
        return Repo.find(wanted.repo.resolve())
    above = (samocode.main_repo(path / samocode.FILE_NAME) for path in folder.parents)
    named = [found for found in (next(filter(None, above), None), _working_dir(old)) if found and found.is_dir()]
    here = find_root(folder) or find_root(Path.cwd())
    for place in [*named, *([here] if here else [])]:
        if (root := find_root(place)) and (root / ".git").exists():
            return Repo.find(root)
    raise UsageError(
        f"which repository {folder.name} belongs to cannot be told: no {samocode.FILE_NAME} above it names one, and "
        "its working folder is in none. Name it: samoloop import FOLDER --repo DIR"
    )


def _working_dir(old: OldSession) -> Path | None:
    try:
        return Path(old.working_dir).expanduser() if old.working_dir.startswith(("/", "~")) else None
    except RuntimeError:
        return None


def _phase(wanted: Wanted, old: OldSession, workflow: Workflow, folder: Path) -> str:
    """Where it stands. `init` is the worker's own here. Raises UsageError."""
    name = (wanted.phase or old.phase).lower()
    known = [phase.name for phase in workflow.phases if phase.child]
    if name in workflow.names and name not in known:
        return workflow.first_with_child
    if name not in known:
        what = f"--phase {name}" if wanted.phase else f"the {overview.FILE_NAME} of {folder.name} says Phase: {name!r}"
        raise UsageError(f"{what}; there is no such phase here: say with --phase where it goes on: {', '.join(known)}")
    return name


def _gate_of(workflow: Workflow, phase: str) -> GateKind | None:
    return workflow.phase(phase).gate


def _is_past_plan(workflow: Workflow, phase: str) -> bool:
    """Whether the gate of the plan lies behind."""
    before = workflow.phases[: workflow.names.index(phase)]
    return any(one.gate is _PLAN for one in before)


def _plan(wanted: Wanted, old: OldSession, workflow: Workflow, phase: str, folder: Path) -> str:
    """The file of the plan that counts there; empty where none is needed. Raises UsageError where that is in doubt."""
    waits = old.status == Status.WAITING and old.waits_for == _PLAN
    if not (_is_past_plan(workflow, phase) or (_gate_of(workflow, phase) is _PLAN and (waits or wanted.approved))):
        return ""
    if wanted.plan:
        name = Path(wanted.plan).name
        if name not in old.plans:
            raise UsageError(f"--plan {name}: {folder.name} has no such plan; it has: {', '.join(old.plans) or 'none'}")
        return name
    if len(old.plans) == 1:
        return old.plans[0]
    if not old.plans and _gate_of(workflow, phase) is _PLAN:
        return ""
    if not old.plans:
        raise UsageError(
            f"{folder.name} stands in {phase} and holds no plan that a person could approve: have one made with "
            f"--phase {next(one.name for one in workflow.phases if one.gate is _PLAN)}"
        )
    raise UsageError(f"{folder.name} has {len(old.plans)} plans: say with --plan which counts: {', '.join(old.plans)}")


def _asked(wanted: Wanted, old: OldSession, workflow: Workflow, phase: str, plan: str) -> GateKind | None:
    """The gate that opens: nobody knows who closed it before."""
    if _gate_of(workflow, phase) is GateKind.QA_ANSWERS and old.questions:
        return GateKind.QA_ANSWERS
    return _PLAN if plan and not wanted.approved else None


def _asking_phase(found: Look) -> str:
    """The phase whose gate it is: the one before, where the session has left it already."""
    if found.asked is _PLAN:
        return next(one.name for one in found.workflow.phases if one.gate is _PLAN)
    return found.phase


def _blocked(old: OldSession, workflow: Workflow, phase: str, asked: GateKind | None) -> str:
    """Why it rested, where a person has yet to help and has not moved it since."""
    if old.status not in (Status.BLOCKED, Status.WAITING) or old.signal_phase not in ("", phase):
        return ""
    if old.status == Status.WAITING:
        gates = {_PLAN, GateKind.QA_ANSWERS}
        return "" if old.waits_for in gates else f"waits for {old.waits_for}" + f": {old.reason}" * bool(old.reason)
    return old.reason or "it did not say why"


# --- where its work is ------------------------------------------------------------------------------------------------


def _place(
    wanted: Wanted, old: OldSession, repo: Repo, folder: Path, environ: Mapping[str, str], *, works: bool
) -> Place:
    """Branch and worktree as they are found; a new branch where there is none and nothing was built yet."""
    trees = list(_worktrees(repo))
    candidates = [path for path in _candidates(old, repo, folder) if path != repo.root]
    tree = next((tree for path in candidates for tree in trees if tree["worktree"] == str(path)), None)
    if tree and "branch" not in tree:
        raise SessionError(
            f"the worktree {tree['worktree']} of {folder.name} is on no branch: check out the branch of its work there"
        )
    in_tree = tree["branch"].removeprefix("refs/heads/") if tree else ""
    if wanted.branch and in_tree and in_tree != wanted.branch:
        raise UsageError(f"--branch {wanted.branch}: its worktree {(tree or {})['worktree']} is on {in_tree}")
    branch = in_tree or wanted.branch or _branch(repo, folder, environ)
    tip = repo.store.ref(f"refs/heads/{branch}") if branch else None
    head = repo.resolve("HEAD")
    if tip is None and (works or wanted.branch):
        looked = wanted.branch or old_session.branch_name(folder.name)
        raise SessionError(
            f"the work of {folder.name} is not in {repo.root}: there is no worktree of it and no branch {looked!r}; "
            "name the branch that holds it with --branch, or start before it with --phase planning"
        )
    if tip is None:
        return Place("", head, new=True)
    user = next((one["worktree"] for one in trees if one.get("branch") == f"refs/heads/{branch}"), "")
    if not tree and user:
        raise SessionError(f"the branch {branch} of {folder.name} is checked out in {user}: switch that to another one")
    base = repo.store.call("merge-base", head, tip)
    start = os.fsdecode(base.stdout).strip() if base.returncode == 0 else tip
    return Place(branch, start, Path(tree["worktree"]) if tree else None)


def _candidates(old: OldSession, repo: Repo, folder: Path) -> Iterator[Path]:
    """Folders that may be its worktree, the likely one first."""
    working = _working_dir(old)
    above = next((path for one in folder.parents if (path := one / samocode.FILE_NAME).is_file()), None)
    worktrees = samocode.folders(above, repo.root).get("worktrees") if above else None
    places = [Path(worktrees).expanduser() / folder.name] if worktrees else []
    yield from (path.resolve() for path in [*([working] if working else []), *places])


def _worktrees(repo: Repo) -> Iterator[dict[str, str]]:
    """What git knows of the repository's worktrees that are there."""
    text = os.fsdecode(repo.store.run("worktree", "list", "--porcelain"))
    for block in text.split("\n\n"):
        found = dict(line.partition(" ")[::2] for line in block.splitlines() if line)
        if "worktree" in found and Path(found["worktree"]).is_dir():
            yield found


def _branch(repo: Repo, folder: Path, environ: Mapping[str, str]) -> str:
    """The branch that was named for the folder; empty where there is none. Raises UsageError for several."""
    name = old_session.branch_name(folder.name)
    listed = repo.store.line("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/").splitlines()
    likely = f"{samocode.branch_prefix(repo.root, environ)}{name}"
    if likely in listed:
        return likely
    found = [one for one in listed if one == name or one.endswith(f"/{name}")]
    if len(found) > 1:
        raise UsageError(f"several branches may be that of {folder.name}: say with --branch which: {', '.join(found)}")
    return found[0] if found else ""


# --- what is taken over -----------------------------------------------------------------------------------------------


def _with_files(found: Look, texts: Mapping[str, str], names: list[str], now: datetime) -> Look:
    """The same, with what is taken over and what stays."""
    old = found.old
    here = dict(old.documents or {})
    files = {here.get(name, name): text for name, text in texts.items() if name in here or not _is_own(name)}
    if questions := texts.get(old_session.QUESTIONS, "").strip():
        name = old_session.QUESTIONS if found.asked is GateKind.QA_ANSWERS else f"{now:%m-%d-%H%M}-answers-before.md"
        files[name] = f"{questions}\n"
    note = f"Imported from samocode's {found.folder.name} in {found.phase}"
    note += f"; it was blocked there: {' '.join(found.blocked.split())}" if found.blocked else ""
    text = overview.with_entry(old_session.renamed(old.overview, here), f"- {note} ({now:%m-%d %H:%M})")
    files[overview.FILE_NAME] = overview.with_worker_lines(text, phase=found.phase, iteration=0, blocked="")
    if found.plan and not files.get(found.plan, "").strip():
        raise UsageError(f"the plan {found.plan} of {found.folder.name} is empty, or no text that a person can read")
    stays = [name for name in names if name not in texts or (name not in here and _is_own(name))]
    left = tuple(name for name in stays if name not in (overview.FILE_NAME, old_session.QUESTIONS))
    return replace(found, files=files, stays=left)


def _is_own(name: str) -> bool:
    """Whether it was its worker's, or has a name that the worker here keeps for itself."""
    return name in old_session.OWN_FILES or name.startswith(("_", "."))
