"""A parcel's place on a machine: the local copy of a session, made or renewed.

Nothing that lies here and nowhere else is lost by it: what a person did is taken over into what came, and whatever else
is not in the parcel's history is set aside first. Each step may be done again after a crash; the mark comes last.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from samoloop.base.errors import GitError, SessionError
from samoloop.base.files import put_folder, read_plain, remove, write_atomic
from samoloop.base.locks import is_held
from samoloop.base.values import frozen
from samoloop.config import loading
from samoloop.config.loading import Config
from samoloop.core import control, gates
from samoloop.core import session as sessions
from samoloop.core.control import CHILD_LOCK
from samoloop.core.gates import INBOX
from samoloop.core.journal import FILE_NAME, Journal
from samoloop.core.records import Placed, Record, WorktreeNew
from samoloop.core.roots import RootChanged, differences
from samoloop.core.session import Session
from samoloop.core.state import State, fold
from samoloop.fleet import acts
from samoloop.fleet import mark as marks
from samoloop.fleet import parcel as parcels
from samoloop.fleet.mark import Mark
from samoloop.fleet.parcel import CONTROL, FACTS, TAIL, Content, Kind, Parcel
from samoloop.git.calls import Git
from samoloop.git.checkout import registered
from samoloop.git.checkpoint import ref_name
from samoloop.git.repo import Repo
from samoloop.git.restore import put_files
from samoloop.git.restore import renew as renew_code
from samoloop.git.tree_files import entries
from samoloop.git.tree_state import TreeState
from samoloop.git.worktree import Snapshot, Worktree, checked_out
from samoloop.worker.lease import FILES, locked
from samoloop.worker.roots import REPOSITORY, WORKTREE, refuse_led_away
from samoloop.worker.roots import SESSION as SESSION_ROOT

ASIDE = "refs/samoloop/aside/"
_PLACING = "_placing.jsonl"
_NAMED = 5  # files in a sentence
# What dependencies are installed by; where one differs, the setup command runs again.
_LOCK_FILES = (
    *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb", "deno.lock"),
    *("package.json", "requirements.txt", "requirements-dev.txt", "pyproject.toml", "uv.lock", "poetry.lock"),
    *("Pipfile.lock", "pdm.lock", "setup.py", "setup.cfg", "Cargo.lock", "Cargo.toml", "go.sum", "go.mod"),
    *("Gemfile.lock", "composer.lock", "mix.lock", "pubspec.lock", "Package.resolved", "pom.xml", "build.gradle"),
    *("build.gradle.kts", "gradle.lockfile", "flake.lock", "packages.lock.json", ".tool-versions", "Makefile"),
)


Tell = Callable[[Session, Sequence[str]], None]  # hears what is not taken over, before anything is written over


def untold(session: Session, said: Sequence[str]) -> None:
    """Nobody listens."""


@frozen
class _Here:
    """Where a parcel goes on this machine, and what it holds."""

    parcel: Parcel
    machine: str
    repo: Repo
    config: Config
    session_dir: Path
    worktree: Path

    @property
    def branch(self) -> str:
        return f"refs/heads/{self.parcel.branch}"


def place(
    parcel: Parcel,
    root: Path,
    environ: Mapping[str, str],
    machine: str,
    notes: Iterable[str] = (),
    tell: Tell = untold,
) -> Session:
    """The session as the parcel has it, on this machine, in the project at `root`.

    `notes` are for the next child; `tell` hears what was set aside or not taken. Raises LockHeld while a worker is at
    it here, SessionError for a name that another session has, Damaged, GitError.
    """
    here = _here(parcel, root, environ, machine)
    if not sessions.is_session(here.session_dir):
        try:
            _begin(here, notes)
        except SessionError:
            known = _mark_in(control.place_of(here.session_dir))
            if not sessions.is_session(here.session_dir) or known is None or known.project != parcel.project:
                raise  # else somebody else has just placed it here
    session = Session(here.session_dir)
    with locked(session, FILES):
        _renew(session, here, notes, tell)
    return session


def renew(session: Session, parcel: Parcel, environ: Mapping[str, str], machine: str, tell: Tell = untold) -> None:
    """As `place`, for a session that is here; the caller holds its lease."""
    _renew(session, _here(parcel, session.state().created.root, environ, machine), (), tell)


def _renew(session: Session, here: _Here, notes: Iterable[str], tell: Tell) -> None:
    mark, parcel, store = marks.read(session.dir), here.parcel, here.repo.store
    if mark is None or mark.project != parcel.project:
        raise _taken(session)
    if mark.parcel == parcel.oid:
        return
    if is_held(session.control / CHILD_LOCK):
        raise SessionError(f"a child of {session.name} is at work here: it has to end before another's work is placed")
    before = [parcels.read(store, mark.parcel)] if mark.parcel else []
    came, *bases = parcels.load(store, parcel, *before)
    base = bases[0] if bases else None
    present, _ = parcels.travelling(session)
    content = parcels.journal_of(store, parcel, came.tail, present)
    if content.partition(b"\n")[0] != present.partition(b"\n")[0]:
        raise _taken(session)
    draft = session.control / _PLACING
    journal, state = _draft(draft, content)
    ahead = base is not None and not content.startswith(present)
    said: list[str] = []
    if content != present or parcel.paths != here.machine:  # else the worktree is what this journal speaks of
        code = _code_here(session, here, state)
        said += _keep_work(session, here, base.parcel if base else None, code, ahead=ahead)
        said += _put_code(session, here, code)
        if code and state.archived:  # a person had it go, wherever it is
            with suppress(GitError):  # it stays where something is in it that git does not know
                code.worktree.remove()
    with gates.changing(session.dir):  # people's commands wait for this, so it is short
        mine, theirs = (session.journal.read(), journal.read()) if ahead else ((), ())
        given = acts.given_in_vain(mine, theirs, session.logs)
        taken = acts.onto(session, store, base, came, ahead=ahead, given=given)
        said += acts.closed_in_vain(mine, theirs)
        if taken.lost:
            said.append(_keep(session, here, ", ".join(taken.lost[:_NAMED])))
        tell(session, [*said, *taken.said])
        put_files(session.dir, taken.files, [*state.left_out, *session.state().left_out])
        _put_control(session, came, taken.inbox)
    for record in _here_now(here, state, notes, session.state(), base.parcel if base else None):
        journal.append(record)
    write_atomic(session.journal.path, journal.content)
    marks.write(session.dir, Mark(mark.project, parcel.remote or mark.remote, here.machine, parcel.oid, parcel.paths))
    remove(draft)
    session.forget()
    control.lay_links(session.dir, session.control)


def _here(parcel: Parcel, root: Path, environ: Mapping[str, str], machine: str) -> _Here:
    repo, config = Repo.find(root), loading.load(root, environ)
    refuse_led_away(repo.git_dir, parcel.branch)
    return _Here(parcel, machine, repo, config, config.sessions_dir / parcel.name, config.worktrees_dir / parcel.name)


def _taken(session: Session) -> SessionError:
    return SessionError(
        f"{session.dir} is another session than the fleet's of that name, so that one cannot be placed here: move this "
        f"one away, or run it to its end and archive it"
    )


def _begin(here: _Here, notes: Iterable[str]) -> None:
    """The session's folder with a journal that is at home here, and nothing else yet. Raises SessionError."""
    parcel, store = here.parcel, here.repo.store
    tip = store.ref(here.branch)
    if tip and store.call("merge-base", "--is-ancestor", tip, parcel.oid).returncode:
        raise SessionError(
            f"{parcel.name} cannot be placed here, where its branch {parcel.branch} has commits that it does not have: "
            f"give that branch another name, `git branch -m {parcel.branch} NAME`"
        )
    with sessions.folder_called(here.session_dir.parent, lambda: _own_name(here)) as (folder, _):
        tail = parcels.contents(store, [parcel.files[TAIL].oid])[parcel.files[TAIL].oid]
        journal, state = _draft(control.place_of(folder) / FILE_NAME, parcels.journal_of(store, parcel, tail))
        for record in _here_now(here, state, notes):
            journal.append(record)
        marks.write(folder, Mark(parcel.project, parcel.remote, here.machine))


def _own_name(here: _Here) -> str:
    """The session's name, unless another one has it here, or had it and left what cannot be got again."""
    folder, place = here.session_dir, control.place_of(here.session_dir)
    if os.path.lexists(folder):
        raise SessionError(f"{folder} is in the way of the fleet's session of that name: move it away")
    if place.is_dir():
        known = _mark_in(place)
        if known is None or known.project != here.parcel.project:
            raise SessionError(f"{place} holds the journal of another session called {folder.name}: move it away")
    return folder.name


def _mark_in(place: Path) -> Mark | None:
    try:
        return marks.load(place / control.FLEET)
    except SessionError:
        return None


def _draft(path: Path, content: bytes) -> tuple[Journal, State]:
    """A journal that is read before it counts, and the state that it tells. Raises SessionError."""
    write_atomic(path, content)
    journal = Journal(path)
    state = fold(journal)
    if state.creation is None:
        raise parcels.Damaged(f"the journal of {path.parent.name} that came has no first record")
    return journal, state


def _here_now(
    here: _Here, state: State, notes: Iterable[str], was: State | None = None, base: Parcel | None = None
) -> list[Record]:
    """What the journal has to say of this machine; nothing where it speaks of it already. `was` is the copy's state
    before, at the parcel `base`."""
    created, notes = state.created, tuple(notes)
    place = Placed(
        machine=here.machine,
        repo=here.repo.git_dir,
        root=here.config.root,
        worktree=here.worktree,
        notes=(*notes, *_filled_in(here, state)),
    )
    same = (created.repo, created.root, created.worktree) == (place.repo, place.root, place.worktree)
    moved = here.parcel.paths != here.machine or not same or not _as_known(here, state)
    found: list[Record] = [place] if moved or notes else []
    is_away = state.archived and not here.worktree.is_dir()
    if state.prepared and not state.worktree_is_new and not is_away and (why := _lacks(here, was or state, base)):
        found.append(WorktreeNew(why=why))
    return found


def _as_known(here: _Here, state: State) -> bool:
    """Whether the folders are those that the journal knows."""
    folders = {SESSION_ROOT: here.session_dir, WORKTREE: here.worktree, REPOSITORY: here.repo.git_dir}
    try:
        return not differences(state.roots, folders)[1]
    except RootChanged:
        return False


def _filled_in(here: _Here, state: State) -> list[str]:
    """Files that a person filled in on another machine: they are in no commit, so they did not travel."""
    return [
        f"{name}, which a person filled in, is on the machine where they did that, and not here: where you need it, "
        "ask for it again (file_update)."
        for name in sorted(state.left_out)
        if not os.path.lexists(here.worktree / name) and not os.path.lexists(here.session_dir / name)
    ]


# --- what is here and nowhere else ------------------------------------------------------------------------------------


def _keep_work(session: Session, here: _Here, base: Parcel | None, code: "_Code | None", *, ahead: bool) -> list[str]:
    """Set aside what children or a person did to code and journal, and the parcel's history does not have."""
    store, name = here.repo.store, session.state().created.session
    own = [oid for oid in (store.ref(here.branch), store.ref(ref_name(name))) if oid]
    unknown = [oid for oid in own if base is None or oid not in (base.head, base.tip)]  # all else led to the parcel
    why = ["what was done"] if ahead else []
    if unknown and store.line("rev-list", "--max-count=1", *unknown, f"^{here.parcel.oid}", "--"):
        why.append("commits")
    snapshot = code.now.commit if code and _is_own(here, base, code) else ""
    if snapshot:
        why.append("changed files of the worktree")
    return [_keep(session, here, " and ".join(why), [*own, snapshot] if snapshot else own)] if why else []


def _keep(session: Session, here: _Here, what: str, more: Sequence[str] = ()) -> str:
    """Set the session aside as it is here; a sentence that says where."""
    ref = keep_aside(here.repo.store, here.parcel.name, parcels.pack(session, Kind.ASIDE, here.machine, more=more))
    return f"{session.name}: {what} on {here.machine} is not in what came; it is kept: git show {ref}"


def keep_aside(store: Git, name: str, oid: str) -> str:
    """A ref of its own that holds the commit, or one that holds the same: a full disk has it tried again and again."""
    prefix = ASIDE + ref_name(name).rpartition("/")[2] + "/"
    known = store.line("for-each-ref", "--format=%(refname)", prefix).splitlines()
    if same := next((ref for ref in known if _holds_the_same(store, ref, oid)), ""):
        return same
    ref = next(name for n in range(1, len(known) + 2) if (name := f"{prefix}{n}") not in known)
    store.run("update-ref", ref, oid)
    return ref


def _holds_the_same(store: Git, one: str, other: str) -> bool:
    """Whether two parcels differ in nothing but when they were packed."""
    if store.call("diff-tree", "--quiet", one, other, "--", f":(exclude){FACTS}").returncode:
        return False
    trees = [store.line("log", "--no-walk=unsorted", "--format=%T", f"{oid}^@").splitlines() for oid in (one, other)]
    return trees[0] == trees[1]


@frozen
class _Code:
    """The worktree that is here, as it is."""

    worktree: Worktree
    state: TreeState
    now: Snapshot
    notes: tuple[str, ...] = ()  # of what was mended


def _code_here(session: Session, here: _Here, state: State) -> _Code | None:
    """None where this machine has no worktree of the session."""
    repo, root = here.repo, here.worktree
    if registered(repo.git_dir, root) is None and root.is_dir() and any(root.iterdir()):
        repo.remember_worktree(root, here.parcel.branch, here.parcel.head)
    if registered(repo.git_dir, root) is None or not root.is_dir():
        return None
    left_out = {*state.left_out, *session.state().left_out}
    worktree = Worktree.open(repo.git_dir, root, here.parcel.branch, left_out)
    notes = worktree.remove_stale_locks()
    found = worktree.state()
    return _Code(worktree, found, worktree.snapshot(found), tuple(notes))


def _is_own(here: _Here, base: Parcel | None, code: _Code) -> bool:
    """Whether the worktree holds what is neither as it was nor as it will be."""
    known = [base.code, base.head] if base else [here.parcel.head]
    known.append(here.parcel.code)
    if any(code.worktree.tree_of(commit) == code.now.tree for commit in known):
        return False
    mine, *theirs = (entries(here.repo.store, commit) for commit in (code.now.commit, *known))
    return any(found not in [tree.get(name) for tree in theirs] for name, found in mine.items())


# --- each part --------------------------------------------------------------------------------------------------------


def _put_code(session: Session, here: _Here, code: _Code | None) -> list[str]:
    """Refs and worktree as the parcel has them."""
    parcel, store = here.parcel, here.repo.store
    if (store.ref(ref_name(parcel.name)) or "") != parcel.tip:  # one without checkpoints leaves none of other work
        store.run("update-ref", *([ref_name(parcel.name), parcel.tip] if parcel.tip else ["-d", ref_name(parcel.name)]))
    if code is None:
        return _put_branch(here)
    as_it_is = (code.now.head, code.now.tree)
    if as_it_is == (parcel.head, code.worktree.tree_of(parcel.code)) and not code.worktree.operation():
        return list(code.notes)
    aside, notes = renew_code(code.worktree, session.dir, code.state, code.now, parcel.code, parcel.head)
    return [*code.notes, *notes, *(f"moved out of the way: {path}" for path in aside)]


def _put_branch(here: _Here) -> list[str]:
    store = here.repo.store
    if store.ref(here.branch) == here.parcel.head:
        return []
    if folder := checked_out(here.repo.git_dir, here.branch):
        raise GitError(
            f"The branch {here.parcel.branch} is checked out in {folder}, so it cannot be moved to what came: switch "
            "that to another branch."
        )
    store.run("update-ref", "-m", "samoloop: placed", here.branch, here.parcel.head)
    return []


def _put_control(session: Session, came: Content, inbox: bytes) -> None:
    """What of the control folder came with the parcel."""
    place = session.control
    for name, data in came.control.items():
        if name not in (INBOX, TAIL.removeprefix(CONTROL)) and _plainly(place / name) != data:
            put_folder((place / name).parent)
            write_atomic(place / name, data)
    if inbox != (_plainly(place / INBOX) or b""):
        write_atomic(place / INBOX, inbox)


def _plainly(path: Path) -> bytes | None:
    try:
        return read_plain(path, gates.LIMIT_BYTES)
    except ValueError:
        return None


# --- dependencies -----------------------------------------------------------------------------------------------------


def _lacks(here: _Here, was: State, base: Parcel | None) -> str:
    """What the worktree here has not got yet, so that it is made ready again; empty where nothing is known to lack."""
    is_there = registered(here.repo.git_dir, here.worktree) is not None and here.worktree.is_dir()
    if not is_there or (base is None and here.parcel.paths != here.machine):
        return f"The session came to {here.machine}."
    trees = (base.code if base else here.parcel.code, here.parcel.code)
    changed = here.config.setup and here.repo.store.call("diff-tree", "--quiet", *trees, "--", *_LOCK_FILES).returncode
    if was.worktree_is_new or changed:
        return f"What dependencies are installed by changed while the session was not on {here.machine}."
    return ""
