"""The person's remote: what it has now, and a branch given to it. The one place where git reaches out of the machine,
for a hand-off and for the end of a session.

It reaches out as the person: with their remotes, their credential helpers and their ssh, which are programs of their
configuration, as `git fetch` would. It asks nothing, neither at the terminal nor in a window, and takes a bounded time.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from samoloop.base.durations import format_seconds
from samoloop.base.effects import effect
from samoloop.base.errors import GitError
from samoloop.base.files import read_plain, sha256
from samoloop.git import calls
from samoloop.git.repo import Repo

SECONDS = 300.0  # of one call that brings or takes something
ANSWER_SECONDS = 30.0  # of one that only asks: a remote that is cut off is silent for as long as one waits
_SILENT_SECONDS = 30  # of a transfer that brings nothing
_SAID = 500  # characters of git's own words
# What git itself speaks. Any other address (`ext::`, a helper of its own) is a program, and stays forbidden.
_TRANSPORTS = ("https", "http", "ssh", "git", "file")
_SWITCHES = tuple(
    word
    for setting in (
        *(f"protocol.{name}.allow=always" for name in _TRANSPORTS),
        "credential.interactive=false",
        "http.lowSpeedLimit=1",
        f"http.lowSpeedTime={_SILENT_SECONDS}",
    )
    for word in ("-c", setting)
)
# Beside what every call gets: how the person's own git finds the network, and says who they are.
_PERSONAL = frozenset(
    {
        *("SSH_AUTH_SOCK", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "DBUS_SESSION_BUS_ADDRESS", "KRB5CCNAME"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "CURL_CA_BUNDLE"),
    }
)
_LOGIN = re.compile(r"://[^/@\s]*@")  # in an address that git repeats
_DEFAULT = re.compile(r"ref: refs/heads/(\S+)\tHEAD\n([0-9a-f]{40,64})\tHEAD\n")


class Tip(NamedTuple):
    """A branch of a remote as it is there."""

    commit: str
    words: str  # for a person: `origin/main, just fetched`


class NoRemote(GitError):
    """There is none, or none that is meant."""

    def __init__(self, repo: Repo, names: list[str]) -> None:
        self.names = names
        what = f"several remotes and none is called origin ({', '.join(names[:9])})" if names else "no remote"
        super().__init__(f"{repo.root} has {what}")


def remote_of(repo: Repo) -> str:
    """The remote that is meant where none is named: origin, else the only one. Raises NoRemote."""
    names = repo.store.line("remote").split()
    if "origin" in names or len(names) == 1:
        return "origin" if "origin" in names else names[0]
    raise NoRemote(repo, names)


def _to_fetch_from(repo: Repo) -> str:
    try:
        return remote_of(repo)
    except NoRemote as error:
        how = (
            f"fetch by yourself, then name the branch, such as --base {error.names[0]}/main"
            if error.names
            else "add one with `git remote add origin ADDRESS`, or start from what is here, with --base HEAD"
        )
        raise GitError(f"{error}: {how}.") from None


def known_tip(repo: Repo) -> Tip | None:
    """The remote's default branch as it was when it was fetched last; None where that is not known here."""
    remote = _to_fetch_from(repo)
    commit = repo.store.resolve(f"refs/remotes/{remote}/HEAD")
    name = repo.store.call("symbolic-ref", "--quiet", "--short", f"refs/remotes/{remote}/HEAD").stdout
    return Tip(commit, os.fsdecode(name).strip() or remote) if commit else None


def fetch_default(repo: Repo) -> Tip:
    """Fetch the remote's default branch, as it is called there now. Moves what the person's own fetch would move.

    Raises GitError that says what failed and what to do.
    """
    remote = _to_fetch_from(repo)
    listed = os.fsdecode(_fetching(repo, remote, "ls-remote", "--symref", "--", remote, "HEAD"))
    found = _DEFAULT.search(listed)
    if found is None:
        raise GitError(
            f"The remote {remote} does not say what its default branch is: name one, such as --base {remote}/main."
        )
    branch, commit = found.groups()
    switches = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-filter", "--no-write-fetch-head")
    _fetching(repo, remote, "fetch", *switches, "--", remote, f"refs/heads/{branch}")
    if repo.store.resolve(commit) is None:
        raise GitError(f"{remote}/{branch} was moved while it was fetched: try again.")
    behind = int(repo.store.line("rev-list", "--count", "HEAD", f"^{commit}", "--"))
    commits = "a commit" if behind == 1 else f"{behind} commits"
    left = f", without {commits} of your checkout" if behind else ""
    return Tip(commit, f"{remote}/{branch}, just fetched{left}")


def _fetching(repo: Repo, remote: str, *words: str) -> bytes:
    try:
        return _call(repo, repo.git_dir, *words)
    except GitError as error:
        raise GitError(
            f"Fetching from {remote} failed, so nothing was started: {error}. See that `git fetch {remote}` works "
            "without asking anything, or start from what is here, with --base HEAD."
        ) from None


# --- a branch given to it ---------------------------------------------------------------------------------------------

HOOKS = ("pre-push", "reference-transaction")  # those that a push runs here
# What a push asks of git's configuration: where it goes, as whom, and which programs run on the way.
_OF_A_PUSH = (
    r"^(core\.(hookspath|sshcommand|askpass|gitproxy|fsmonitor)|ssh\.|remote\.|url\.|credential\.|https?\.|push\.)"
)
_HOOK_BYTES = 1_000_000


def push_settings(repo: Repo) -> dict[str, str]:
    """What a push goes by: the keys of git's configuration with their values, and the hooks with a hash of each."""
    found: dict[str, str] = {}
    listed = calls.execute(
        ("config", "--show-scope", "-z", "--get-regexp", _OF_A_PUSH),
        cwd=repo.root,
        environ=calls.environment() | {"GIT_DIR": str(repo.git_dir)},
    )
    words = os.fsdecode(listed.stdout).split("\0")
    for scope, setting in zip(words[::2], words[1::2], strict=False):
        key, _, value = setting.partition("\n")
        if scope != "command":  # ours
            found[key] = f"{found[key]}\n{value}" if key in found else value
    folder = _hooks(repo, found)
    for name in HOOKS:
        if os.access(folder / name, os.X_OK):
            found[f"hook {name}"] = sha256(read_plain(folder / name, _HOOK_BYTES, follow=True) or b"")
    return found


def _hooks(repo: Repo, settings: Mapping[str, str]) -> Path:
    own = settings.get("core.hookspath", "").rpartition("\n")[2]
    return repo.root / Path(own).expanduser() if own else repo.git_dir / "hooks"


def push_remote(repo: Repo, settings: Mapping[str, str]) -> str:
    """The remote that a branch without one of its own is pushed to. Raises GitError."""
    if named := settings.get("remote.pushdefault"):
        return named
    try:
        return remote_of(repo)
    except NoRemote as error:
        how = (
            "name one with `git config remote.pushDefault NAME`"
            if error.names
            else "add one: `git remote add origin ADDRESS`"
        )
        raise GitError(f"{error}, so nothing was pushed: {how}") from None


def address(repo: Repo, remote: str) -> str:
    """Where a push to the remote goes, without a login."""
    return _LOGIN.sub("://", repo.store.line("remote", "get-url", "--push", "--", remote))


def push(repo: Repo, remote: str, branch: str, commit: str, settings: Mapping[str, str]) -> None:
    """Give the remote's `branch` this commit, never by force; done already is done. Raises GitError that says why not.

    Hooks run as at the person's own push, in their main checkout, where nothing of a child's lies.
    """
    switches = ("--quiet", "--no-follow-tags", "--no-signed", "--recurse-submodules=no")
    hooks = ("-c", f"core.hooksPath={_hooks(repo, settings)}")
    try:
        with effect("git push"):
            _call(repo, repo.root, *hooks, "push", *switches, "--", remote, f"{commit}:refs/heads/{branch}")
    except GitError as error:
        words = str(error)
        if any(word in words for word in ("(fetch first)", "(non-fast-forward)")):
            raise GitError(
                f"{branch} on {remote} has commits that this session does not have, so nothing was pushed: look at "
                f"them with `git fetch {remote}`, then merge them, or push over them by yourself"
            ) from None
        raise GitError(
            f"pushing {branch} to {remote} failed: {words}. See that `git push {remote} {branch}` works"
        ) from None


def _call(repo: Repo, where: Path, *words: str) -> bytes:
    """A call of git that may reach the remote; its output. Raises GitError with git's own words."""
    done = reach(repo, where, *words)
    if done.returncode == 0:
        return done.stdout
    raise GitError(said(done) or f"exit code {done.returncode}")


def reach(repo: Repo, where: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """A call of git that may reach the remote, whatever became of it. Raises GitError where it took too long."""
    personal = {name: value for name, value in os.environ.items() if name in _PERSONAL}
    environ = calls.environment() | personal | {"GIT_DIR": str(repo.git_dir), "GCM_INTERACTIVE": "never"}
    if where == repo.root:
        environ["GIT_WORK_TREE"] = str(repo.root)
    seconds = ANSWER_SECONDS if words[0] == "ls-remote" else SECONDS
    given: dict[str, Any] = {"cwd": where, "environ": environ, "seconds": seconds, "inherits": False}
    try:
        done = calls.execute((*_SWITCHES, *words), **given)
        if done.returncode and calls.remove_dead_locks(repo.git_dir, done.stderr):
            done = calls.execute((*_SWITCHES, *words), **given)
        return done
    except GitError as error:
        if not isinstance(error.__cause__, subprocess.TimeoutExpired):
            raise
        raise GitError(f"it took more than {format_seconds(seconds)}") from None


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """Git's own words, in one line and without a login."""
    return _LOGIN.sub("://", " ".join(os.fsdecode(done.stderr).split()))[:_SAID]
