"""Parcels on the remote that all machines share: given to it, taken from it, and what it knows of a project.

A push is never forced. A parcel follows from the one before it, so a remote takes what comes first and refuses what a
machine pushes that fell behind: that is what keeps one history a session, and needs no lock.
"""

import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from samoloop.base.effects import effect
from samoloop.base.errors import GitError, UsageError
from samoloop.base.files import entries_of
from samoloop.core.records import Placed, Started
from samoloop.core.session import Session, check_name
from samoloop.fleet import mark as marks
from samoloop.fleet import parcel as parcels
from samoloop.fleet.parcel import Parcel
from samoloop.git import checkpoint, remote
from samoloop.git.calls import Git, is_oid
from samoloop.git.repo import Repo
from samoloop.worker import before_push

PARCELS, ID = "refs/samoloop/fleet/", "refs/samoloop/fleet-id"
_PUSH = ("push", "--porcelain", "--no-follow-tags", "--no-signed", "--no-verify", "--recurse-submodules=no")
_FETCH = ("--quiet", "--no-tags", "--no-prune", "--no-recurse-submodules", "--no-filter", "--no-write-fetch-head")
# Why a remote refuses a ref that has moved on.
_MOVED = ("fetch first", "non-fast-forward", "already exists", "stale info")
_ATOMIC = ("atomic push failed", "atomic push failure", "atomic transaction failed", "transaction failed")
_FOR_NOW = ("failed to update ref", "cannot lock ref", "incorrect old value", "unpacker error", "failed to lock")
# The same of a ref that moved while the remote was at it, in its own words.
_RACED = re.compile(rb"cannot lock ref 'refs/samoloop/fleet/[^']*': (is at \w+ but expected|reference already exists)")
# What no second try helps against: somebody has to log in, or to say whom they trust.
_LOGIN = re.compile(
    "authentication failed|permission denied|could not read username|could not read password|access denied|"
    "host key verification failed|certificate|invalid credentials|terminal prompts disabled|transport '.*' not allowed|"
    r"error: 40[13]",
    re.IGNORECASE,
)


class Refused(GitError):
    """The remote does not take it, and will not take it the next time."""


class Moved(Refused):
    """Somebody else's parcel came first."""


class RemoteGone(GitError):
    """The remote cannot be reached now, or took nothing: it can be tried again."""


def fleet_ref(name: str) -> str:
    """Where the parcels of a session are."""
    return PARCELS + checkpoint.ref_name(name).rpartition("/")[2]


def remote_of(repo: Repo, named: str = "") -> str:
    """The remote that the machines share: the `named` one, else origin, else the only one. Raises UsageError."""
    try:
        return named or remote.remote_of(repo)
    except remote.NoRemote as error:
        raise UsageError(f"{error}, through which machines could share it: name one with `fleet.remote`") from None


# --- the project ------------------------------------------------------------------------------------------------------


def project_id(repo: Repo, where: str) -> str:
    """What names a project on every machine, made by whoever asks first: the id of a blob with a random text in it.

    Raises RemoteGone and Refused.
    """
    if known := _listed(repo, where, ID).get(ID):
        return known
    blob = repo.store.line("hash-object", "-w", "--stdin", stdin=f"{uuid.uuid4()}\n".encode())
    done = _reach(repo, *_PUSH, "--", where, f"{blob}:{ID}")
    known = _listed(repo, where, ID).get(ID)  # of two who made one at once, one came first
    if known is None:
        raise Refused(f"{where} does not take {ID}, by which machines know the project: {_why(done)}")
    return known


def known_id(repo: Repo, where: str) -> str:
    """The same, where somebody has made it; else empty. Raises RemoteGone and Refused."""
    return _listed(repo, where, ID).get(ID, "")


def listed(repo: Repo, where: str) -> dict[str, str]:
    """The newest parcel of each session on the remote, by the session's name. Raises RemoteGone and Refused."""
    found = {}
    for ref, oid in _listed(repo, where, f"{PARCELS}*").items():
        name = unquote(ref.removeprefix(PARCELS))
        try:
            found[check_name(name)] = oid
        except UsageError:
            continue  # no session has it
    return found


def newest(repo: Repo, where: str, name: str) -> str:
    """The id of a session's newest parcel; empty where the remote has none. It asks, and a remote that is cut off is
    not waited for as long as for a transfer. Raises RemoteGone and Refused."""
    return _listed(repo, where, fleet_ref(name)).get(fleet_ref(name), "")


def standing(repo: Repo, where: str, prefixes: Sequence[str]) -> dict[str, str]:
    """All refs of the remote below these, with what they name. Raises RemoteGone and Refused."""
    return _listed(repo, where, *(f"{prefix}*" for prefix in prefixes))


def _listed(repo: Repo, where: str, *patterns: str) -> dict[str, str]:
    done = _reach(repo, "ls-remote", "--refs", "--", where, *patterns)
    if done.returncode:
        raise _trouble(where, done)
    pairs = (line.split("\t") for line in os.fsdecode(done.stdout).splitlines() if line.count("\t") == 1)
    return {ref: oid for oid, ref in pairs if is_oid(oid)}


# --- parcels ----------------------------------------------------------------------------------------------------------


def push(session: Session, oid: str) -> list[str]:
    """Give the remote a parcel, with the session's checkpoints and its branch; sentences of what it did not take.

    Raises Moved where another parcel came first, RemoteGone where it can be tried again, Refused with the remote's
    words. The caller holds the session's lease.
    """
    mark, created = marks.read(session.dir), session.state().created
    if mark is None or created.repo is None:
        raise UsageError(f"{session.name} is no session of a fleet: hand it over with `samoloop run --fleet`")
    repo = Repo(created.root, created.repo)
    refuse_changed(session, repo)
    parcel = parcels.read(repo.store, oid)
    wanted = {fleet_ref(parcel.name): oid, f"refs/heads/{parcel.branch}": parcel.head}
    if parcel.tip:
        wanted[checkpoint.ref_name(parcel.name)] = parcel.tip
    _push_large(repo, mark.remote, oid)
    with effect("push parcel"):
        notes = _push(repo, mark.remote, wanted)
    settle(session, parcel)
    return notes


def settle(session: Session, parcel: Parcel) -> None:
    """The remote has just what is here: the next parcel follows from this one."""
    store = Git(session.state().created.repo or Path())
    store.run("update-ref", fleet_ref(parcel.name), parcel.oid)
    marks.at(session.dir, parcel.oid, parcel.paths)


def refuse_changed(session: Session, repo: Repo) -> None:
    """Raise Refused where a child of the session worked here, and what a push goes by is not what it was before."""
    records = session.journal.read()
    placed = max((place for place, one in enumerate(records) if isinstance(one, Placed)), default=0)
    if not any(isinstance(one, Started) for one in records[placed:]):
        return
    if changed := before_push.changes(session, remote.push_settings(repo)):
        raise Refused(
            f"what a push goes by was changed since the first child of {session.name} worked here, so nothing was "
            f"pushed ({'; '.join(changed)}): put it back, or take the session home with `samoloop fleet move "
            f"{session.name} --here`"
        )


def _push(repo: Repo, where: str, wanted: dict[str, str]) -> list[str]:
    """Push refs together; all but the first of them may be left out where the remote does not take them."""
    notes: list[str] = []
    parcel, atomic = next(iter(wanted)), ["--atomic"]
    while True:
        done = _reach(repo, *_PUSH, *atomic, "--", where, *(f"{oid}:{ref}" for ref, oid in wanted.items()))
        if done.returncode == 0:
            return notes
        refused = _refused(done)
        if atomic and not refused and b"does not support --atomic" in done.stderr:
            atomic = []
            continue
        if not refused:
            raise _trouble(where, done)
        why = refused.get(parcel, "")
        if any(word in why for word in _MOVED) or _RACED.search(done.stderr):
            raise Moved(f"another machine was first with {parcel}")
        if any(word in reason for reason in refused.values() for word in _FOR_NOW):
            raise RemoteGone(f"{where} could not take it: {_why(done)}")
        alone = [ref for ref, reason in refused.items() if ref != parcel and not any(w in reason for w in _ATOMIC)]
        alone = alone if not why or any(word in why for word in _ATOMIC) else list(wanted)[1:2]  # one hook for all
        if not alone:
            raise Refused(f"{where} does not take {parcel}: {_why(done)}")
        for ref in alone:
            del wanted[ref]
            notes.append(f"{where} did not take {ref} ({refused.get(ref, why)}); it travels with the session")
        if not atomic and parcel not in refused:
            return notes


def _refused(done: subprocess.CompletedProcess[bytes]) -> dict[str, str]:
    """Why the remote does not take a ref, by ref, as `git push --porcelain` says it."""
    lines = (line.split("\t") for line in os.fsdecode(done.stdout).splitlines() if line.startswith("!\t"))
    return {words[1].rpartition(":")[2]: words[2].partition("(")[2].rstrip(")") for words in lines if len(words) > 2}


def fetch(repo: Repo, where: str, name: str) -> Parcel | None:
    """The newest parcel of a session, with all that it stands on; None where the remote has none.

    Raises RemoteGone, Refused, and as `parcel.read`.
    """
    oid = take(repo, where, fleet_ref(name))
    return parcels.read(repo.store, oid, where) if oid else None


def _push_large(repo: Repo, where: str, oid: str) -> None:
    """What git-lfs keeps beside the commits goes first: without it no other machine could check them out."""
    if not entries_of(repo.git_dir / "lfs" / "objects") or shutil.which("git-lfs") is None:
        return
    done = _reach(repo, "lfs", "push", where, oid)
    if done.returncode:
        raise RemoteGone(f"{where} did not take the large files of git-lfs: {_why(done)}")


# --- what stands beside the parcels -----------------------------------------------------------------------------------


def put(repo: Repo, where: str, oid: str, ref: str) -> str:
    """Have the remote's ref name this commit, whatever it named before; why not, where it does not take it."""
    done = _reach(repo, *_PUSH, "--", where, f"+{oid}:{ref}")
    return _why(done) if done.returncode else ""


def let_go(repo: Repo, where: str, refs: Mapping[str, str]) -> str:
    """Have the remote forget these refs together, where they still name what is said; why not, where it does not."""
    leases = [f"--force-with-lease={ref}:{oid}" for ref, oid in refs.items()]
    done = _reach(repo, *_PUSH, "--atomic", *leases, "--", where, *(f":{ref}" for ref in refs))
    if any(word in reason for reason in _refused(done).values() for word in _MOVED):
        return "somebody went on with it meanwhile"
    return _why(done) if done.returncode else ""


def take(repo: Repo, where: str, ref: str) -> str | None:
    """What the remote's ref names, with all that it stands on; None where it has none. Raises RemoteGone, Refused."""
    done = _reach(repo, "fetch", *_FETCH, "--", where, f"+{ref}:{ref}")
    if done.returncode:
        if b"couldn't find remote ref" in done.stderr:
            return None
        raise _trouble(where, done)
    return repo.store.ref(ref)


# --- what git says ----------------------------------------------------------------------------------------------------


def _reach(repo: Repo, *words: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return remote.reach(repo, repo.git_dir, *words)
    except GitError as error:
        raise RemoteGone(f"the remote cannot be reached: {error}") from None


def _trouble(where: str, done: subprocess.CompletedProcess[bytes]) -> GitError:
    """What a call that did not come to a ref failed of: the way to the remote, but for a login."""
    why = _why(done)
    if _LOGIN.search(why):
        return Refused(f"{where} cannot be used: {why}. See that `git fetch {where}` works without asking anything")
    return RemoteGone(f"{where} cannot be reached: {why}")


def _why(done: subprocess.CompletedProcess[bytes]) -> str:
    return remote.said(done) or f"exit code {done.returncode}"
