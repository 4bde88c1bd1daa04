"""What the person's remote has now. The one place where git reaches out of the machine, and only for a hand-off.

It reaches out as the person: with their remotes, their credential helpers and their ssh, which are programs of their
configuration, as `git fetch` would. It asks nothing, neither at the terminal nor in a window, and takes a bounded time.
"""

import os
import re
import subprocess
from typing import NamedTuple

from samoloop.base.errors import GitError
from samoloop.git import calls
from samoloop.git.repo import Repo

FETCH_SECONDS = 300.0
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


def remote_of(repo: Repo) -> str:
    """The remote to fetch from: origin, else the only one. Raises GitError."""
    names = repo.store.line("remote").split("\n")
    if "origin" in names:
        return "origin"
    if names == [""]:
        raise GitError(
            f"{repo.root} has no remote to fetch from: add one with `git remote add origin ADDRESS`, "
            "or start from what is here, with --base HEAD."
        )
    if len(names) > 1:
        raise GitError(
            f"{repo.root} has several remotes and none is called origin ({', '.join(names[:9])}): fetch by yourself, "
            f"then name the branch, such as --base {names[0]}/main."
        )
    return names[0]


def known_tip(repo: Repo) -> Tip | None:
    """The remote's default branch as it was when it was fetched last; None where that is not known here."""
    remote = remote_of(repo)
    commit = repo.store.resolve(f"refs/remotes/{remote}/HEAD")
    name = repo.store.call("symbolic-ref", "--quiet", "--short", f"refs/remotes/{remote}/HEAD").stdout
    return Tip(commit, os.fsdecode(name).strip() or remote) if commit else None


def fetch_default(repo: Repo) -> Tip:
    """Fetch the remote's default branch, as it is called there now. Moves what the person's own fetch would move.

    Raises GitError that says what failed and what to do.
    """
    remote = remote_of(repo)
    listed = os.fsdecode(_call(repo, remote, "ls-remote", "--symref", "--", remote, "HEAD"))
    found = _DEFAULT.search(listed)
    if found is None:
        raise GitError(
            f"The remote {remote} does not say what its default branch is: name one, such as --base {remote}/main."
        )
    branch, commit = found.groups()
    switches = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-filter", "--no-write-fetch-head")
    _call(repo, remote, "fetch", *switches, "--", remote, f"refs/heads/{branch}")
    if repo.store.resolve(commit) is None:
        raise GitError(f"{remote}/{branch} was moved while it was fetched: try again.")
    behind = int(repo.store.line("rev-list", "--count", "HEAD", f"^{commit}", "--"))
    commits = "a commit" if behind == 1 else f"{behind} commits"
    left = f", without {commits} of your checkout" if behind else ""
    return Tip(commit, f"{remote}/{branch}, just fetched{left}")


def _call(repo: Repo, remote: str, *words: str) -> bytes:
    """A call of git that may reach the remote; its output."""
    personal = {name: value for name, value in os.environ.items() if name in _PERSONAL}
    environ = calls.environment() | personal | {"GIT_DIR": str(repo.git_dir), "GCM_INTERACTIVE": "never"}
    try:
        done = calls.execute((*_SWITCHES, *words), cwd=repo.git_dir, environ=environ, seconds=FETCH_SECONDS)
    except GitError as error:
        if not isinstance(error.__cause__, subprocess.TimeoutExpired):
            raise
        said = f"it took more than {FETCH_SECONDS / 60:.0f} minutes"
    else:
        if done.returncode == 0:
            return done.stdout
        said = _LOGIN.sub("://", " ".join(os.fsdecode(done.stderr).split()))[:_SAID] or f"exit code {done.returncode}"
    raise GitError(
        f"Fetching from {remote} failed, so nothing was started: {said}. See that `git fetch {remote}` works without "
        "asking anything, or start from what is here, with --base HEAD."
    )
