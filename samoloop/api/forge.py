"""Where pull requests are: GitHub by `gh`, GitLab by `glab`, as the person has logged them in.

Both are run in the main checkout, ask nothing, and take a bounded time. What they say is a stranger's: it is bounded,
and only shown.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from samoloop.base import programs
from samoloop.base.effects import effect
from samoloop.base.errors import SamoloopError

SECONDS = 120.0  # of one call
_SAID = 500  # characters of their words
_OUTPUT_BYTES = 5_000_000
_BODY = 60_000  # characters; GitHub takes 65,536
_QUIET = {
    "GH_PROMPT_DISABLED": "1",
    "GH_NO_UPDATE_NOTIFIER": "1",
    "GLAB_NO_PROMPT": "1",
    "NO_PROMPT": "1",
    "GLAB_CHECK_UPDATE": "false",
    "NO_COLOR": "1",
    "GH_PAGER": "cat",
    "PAGER": "cat",
}
_LOGIN = re.compile(r"not logged in|auth login|authenticat|401|unauthorized", re.IGNORECASE)
_URL = re.compile(r"https?://\S+")


class ForgeError(SamoloopError):
    """The forge's CLI is not there, or did not do it."""


@dataclass(frozen=True)
class PullRequest:
    """One that is there."""

    url: str
    state: str  # open, closed, merged
    draft: bool = False


@dataclass(frozen=True)
class Cli:
    """One of the two programs, in a project."""

    program: str
    root: Path
    environ: Mapping[str, str]

    def run(self, *words: str, stdin: str = "") -> str:
        """What it prints. Raises ForgeError with its own words."""
        what = f"{self.program} {' '.join(words[:2])}"
        if shutil.which(self.program, path=self.environ.get("PATH")) is None:
            raise ForgeError(f"there is no {self.program} here: install it, log in with `{self.program} auth login`")
        kept = {name: value for name, value in self.environ.items() if not name.startswith(("GIT_", "TELEGRAM_"))}
        try:
            done = programs.run(
                [self.program, *words],
                name=what,
                cwd=self.root,
                environ={**kept, **_QUIET},
                seconds=SECONDS,
                stdin=stdin.encode(),
            )
        except subprocess.TimeoutExpired:
            raise ForgeError(f"`{what}` did not end within {SECONDS:.0f} s") from None
        except OSError as error:
            raise ForgeError(f"`{what}` cannot be run: {error.strerror}") from None
        if done.returncode == 0:
            return done.stdout[:_OUTPUT_BYTES].decode(errors="replace")
        said = " ".join((done.stderr or done.stdout).decode(errors="replace").split())[:_SAID]
        login = f". Log in: `{self.program} auth login`" if done.returncode == 4 or _LOGIN.search(said) else ""
        raise ForgeError(f"`{what}` failed: {said or f'exit code {done.returncode}'}{login}")

    def listed(self, *words: str) -> list[dict[str, Any]]:
        """What it prints, as a list of objects. Raises ForgeError."""
        said = self.run(*words)
        try:
            found = json.loads(said or "[]")
        except ValueError:
            raise ForgeError(f"`{self.program} {' '.join(words[:2])}` printed no JSON: is it up to date?") from None
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


class Forge(Protocol):
    """What a forge can do for a branch."""

    def find(self, branch: str) -> list[PullRequest]:
        """The pull requests that the branch has, or had, the newest first."""
        ...

    def propose(self, branch: str, base: str, title: str, body: str, *, draft: bool) -> str:
        """Open one, into `base` or where that is empty into the default branch; its address."""
        ...


@dataclass(frozen=True)
class GitHub:
    """By `gh`."""

    cli: Cli
    owner: str  # of the repository that was pushed to; empty where its address does not tell

    def find(self, branch: str) -> list[PullRequest]:
        fields = "url,state,isDraft,isCrossRepository,headRepositoryOwner"
        rows = self.cli.listed("pr", "list", "--head", branch, "--state", "all", "--limit", "20", "--json", fields)
        return [
            PullRequest(str(row.get("url", "")), str(row.get("state", "")).lower(), bool(row.get("isDraft")))
            for row in rows
            if self._is_ours(row)
        ]

    def _is_ours(self, row: Mapping[str, Any]) -> bool:
        """A stranger's fork may have a branch of the same name."""
        owner = row.get("headRepositoryOwner")
        login = str(owner.get("login", "")) if isinstance(owner, dict) else ""
        return login.lower() == self.owner.lower() if self.owner else not row.get("isCrossRepository")

    def propose(self, branch: str, base: str, title: str, body: str, *, draft: bool) -> str:
        words = ["pr", "create", "--head", branch, "--title", title, "--body-file", "-"]
        words += ["--base", base] if base else []
        with effect("open a pull request"):
            try:
                said = self.cli.run(*words, *(["--draft"] if draft else []), stdin=body)
            except ForgeError as error:
                if not draft or "raft pull requests are not supported" not in str(error):
                    raise
                words[words.index(title)] = f"Draft: {title}"  # a private repository without that feature
                said = self.cli.run(*words, stdin=body)
        return _address(said)


@dataclass(frozen=True)
class GitLab:
    """By `glab`."""

    cli: Cli

    def find(self, branch: str) -> list[PullRequest]:
        rows = self.cli.listed("mr", "list", "--source-branch", branch, "--all", "--output", "json")
        return [
            PullRequest(
                str(row.get("web_url", "")),
                {"opened": "open", "locked": "open"}.get(str(row.get("state")), str(row.get("state"))),
                bool(row.get("draft")),
            )
            for row in rows
            if row.get("source_project_id") == row.get("target_project_id")
        ]

    def propose(self, branch: str, base: str, title: str, body: str, *, draft: bool) -> str:
        words = ["mr", "create", "--source-branch", branch, "--title", title, f"--description={body}", "--yes"]
        words += ["--target-branch", base] if base else []
        with effect("open a pull request"):
            return _address(self.cli.run(*words, *(["--draft"] if draft else [])))


def of(address: str, root: Path, environ: Mapping[str, str]) -> Forge:
    """The forge behind a remote's address: by its host, else by which of the two programs is there."""
    host, owner = _host_and_owner(address)
    gitlab = "gitlab" in host or ("github" not in host and not _is_there("gh", environ) and _is_there("glab", environ))
    return GitLab(Cli("glab", root, environ)) if gitlab else GitHub(Cli("gh", root, environ), owner if host else "")


def _is_there(program: str, environ: Mapping[str, str]) -> bool:
    return shutil.which(program, path=environ.get("PATH")) is not None


def _host_and_owner(address: str) -> tuple[str, str]:
    """Of `https://host/owner/name`, `ssh://git@host:22/owner/name` and `git@host:owner/name`; empty of a path."""
    found = re.fullmatch(r"\w+://(?:[^/@]*@)?([^/:]+)(?::\d+)?/([^/]+)/.*", address)
    found = found or re.fullmatch(r"(?:[^/@:]+@)?([^/:]+):(?!/)([^/]+)/.*", address)
    return (found[1].lower(), found[2]) if found else ("", "")


def _address(said: str) -> str:
    found = _URL.findall(said)
    if not found:
        raise ForgeError("a pull request was opened, but its address was not told")
    return str(found[-1])


def harmless(text: str) -> str:
    """A text for a forge, in which no line is a command (GitLab acts on `/merge`) and nobody is called by name."""
    text = re.sub(r"^([ \t>*-]*)/(?=\w)", r"\1\\/", text, flags=re.MULTILINE)
    text = re.sub(r"(?<![\w`])@(?=\w)", "@\u200b", text)
    return text if len(text) <= _BODY else f"{text[:_BODY]}…"


def newest_open(found: Sequence[PullRequest]) -> PullRequest | None:
    """The one that takes the branch's commits."""
    return next((one for one in found if one.state == "open"), None)
