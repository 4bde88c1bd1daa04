"""Where pull requests are: GitHub by `gh`, GitLab by `glab`, as the person has logged them in.

Both are run in the main checkout, ask nothing, and take a bounded time. What they say is a stranger's: it is bounded,
and only shown.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from samoloop.base import programs
from samoloop.base.effects import effect
from samoloop.base.errors import SamoloopError
from samoloop.base.printable import printable
from samoloop.base.values import frozen

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
_RED = frozenset({"failure", "timed_out", "startup_failure", "error", "failed"})
_MEMBERS = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})  # who may write there: nobody else's words are taken
_DEVELOPER = 30  # the access level from which one may write, at GitLab
_LOGS, _LOG = 3, 20_000  # of failed runs or jobs, and characters of the end of each
_COMMENTS = 50
_LOGIN = re.compile(r"not logged in|auth login|authenticat|401|unauthorized", re.IGNORECASE)
_URL = re.compile(r"https?://\S+")


class ForgeError(SamoloopError):
    """The forge's CLI is not there, or did not do it."""


@frozen
class PullRequest:
    """One that is there."""

    url: str
    state: str  # open, closed, merged
    draft: bool = False


@frozen
class Comment:
    """A word of a reviewer who may write there."""

    id: str
    by: str
    text: str
    where: str = ""  # file and line


@frozen
class Standing:
    """How a pull request stands."""

    state: str  # open, closed, merged
    commit: str  # its newest
    failed: tuple[str, ...] = ()  # the names of what is red there
    pending: bool = False  # something still runs there
    comments: tuple[Comment, ...] = ()


@frozen
class Failure:
    """A run or a job of the forge's CI that failed."""

    name: str
    url: str
    commit: str
    log: str  # the end of what it printed


@frozen
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
        found = self._json(*words)
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    def object(self, *words: str) -> dict[str, Any]:
        """What it prints, as one object. Raises ForgeError."""
        found = self._json(*words)
        return found if isinstance(found, dict) else {}

    def _json(self, *words: str) -> Any:
        said = self.run(*words)
        try:
            return json.loads(said or "null")
        except ValueError:
            raise ForgeError(f"`{self.program} {' '.join(words[:2])}` printed no JSON: is it up to date?") from None


class Forge(Protocol):
    """What a forge can do for a branch."""

    def find(self, branch: str) -> list[PullRequest]:
        """The pull requests that the branch has, or had, the newest first."""
        ...

    def propose(self, branch: str, base: str, title: str, body: str, *, draft: bool) -> str:
        """Open one, into `base` or where that is empty into the default branch; its address."""
        ...

    def standing(self, url: str) -> Standing:
        """How the pull request at this address stands."""
        ...

    def failures(self, branch: str, commit: str = "") -> list[Failure]:
        """What of the CI failed on the branch, at this commit or where none is named at the newest that it ran on."""
        ...


@frozen
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
        words = ["pr", "create", "--head", self._head(branch), "--title", title, "--body-file", "-"]
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

    def _head(self, branch: str) -> str:
        """How `gh` is told the branch: with its owner where that is a fork of the repository it goes to."""
        there = self.cli.object("repo", "view", "--json", "owner").get("owner") if self.owner else None
        login = _text(there.get("login")) if isinstance(there, dict) else self.owner
        return branch if login.lower() == self.owner.lower() else f"{self.owner}:{branch}"

    def standing(self, url: str) -> Standing:
        found = self.cli.object("pr", "view", url, "--json", "state,headRefOid,statusCheckRollup,reviews")
        rollup = found.get("statusCheckRollup")
        checks = [check for check in rollup if isinstance(check, dict)] if isinstance(rollup, list) else []
        ended = [(check, str(check.get("conclusion") or check.get("state") or "").lower()) for check in checks]
        return Standing(
            str(found.get("state", "")).lower(),
            str(found.get("headRefOid", "")),
            tuple(_text(check.get("name") or check.get("context")) for check, how in ended if how in _RED),
            any(how in ("", "pending", "expected") for _, how in ended),
            tuple([*self._reviews(found.get("reviews")), *self._inline(url)][:_COMMENTS]),
        )

    def _reviews(self, reviews: object) -> Iterator[Comment]:
        for review in reviews if isinstance(reviews, list) else []:
            asks = review.get("state") in ("CHANGES_REQUESTED", "COMMENTED") and _text(review.get("body"))
            if asks and review.get("authorAssociation") in _MEMBERS:
                author = review.get("author")
                id = _text(review.get("id") or review.get("submittedAt"))
                yield Comment(id, _text(author.get("login")) if isinstance(author, dict) else "", _text(review["body"]))

    def _inline(self, url: str) -> Iterator[Comment]:
        place = re.fullmatch(r"https?://([^/]+)/([^/]+)/([^/]+)/pull/(\d+)", url)
        if place is None:
            return
        host, owner, name, number = place.groups()
        path = f"repos/{owner}/{name}/pulls/{number}/comments?per_page=100"
        for row in self.cli.listed("api", "--hostname", host, path):
            user = row.get("user")
            if row.get("author_association") in _MEMBERS and isinstance(user, dict):
                where = f"{_text(row.get('path'))}:{row.get('line') or row.get('original_line') or ''}"
                yield Comment(_text(row.get("id")), _text(user.get("login")), _text(row.get("body")), where)

    def failures(self, branch: str, commit: str = "") -> list[Failure]:
        fields = "databaseId,conclusion,headSha,url,workflowName"
        rows = self.cli.listed("run", "list", "--branch", branch, "--limit", "20", "--json", fields)
        at = commit or next((_text(row.get("headSha")) for row in rows), "")
        red = [row for row in rows if row.get("headSha") == at and _text(row.get("conclusion")) in _RED]
        return [
            Failure(
                _text(row.get("workflowName")),
                _text(row.get("url")),
                at,
                self.cli.run("run", "view", _text(row.get("databaseId")), "--log-failed")[-_LOG:],
            )
            for row in red[:_LOGS]
        ]


@frozen
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

    def standing(self, url: str) -> Standing:
        path = f"projects/:fullpath/merge_requests/{url.rstrip('/').rpartition('/')[2]}"
        found = self.cli.object("api", path)
        pipeline = found.get("head_pipeline")
        status = _text(pipeline.get("status")) if isinstance(pipeline, dict) else "success"
        return Standing(
            {"opened": "open", "locked": "open"}.get(_text(found.get("state")), _text(found.get("state"))),
            _text(found.get("sha")),
            ("pipeline",) if status in _RED else (),
            status not in _RED | {"success", "canceled", "skipped", "manual"},
            tuple(self._notes(path)),
        )

    def _notes(self, path: str) -> Iterator[Comment]:
        notes = [
            note
            for note in self.cli.listed("api", f"{path}/notes?per_page=100")
            if note.get("resolvable") and not note.get("resolved") and isinstance(note.get("author"), dict)
        ]
        members = self.cli.listed("api", "projects/:fullpath/members/all?per_page=100") if notes else []
        writers = {member.get("id") for member in members if int(member.get("access_level") or 0) >= _DEVELOPER}
        for note in notes[:_COMMENTS]:
            if note["author"].get("id") in writers:
                at = note.get("position")
                where = f"{_text(at.get('new_path'))}:{at.get('new_line') or ''}" if isinstance(at, dict) else ""
                yield Comment(
                    _text(note.get("id")), _text(note["author"].get("username")), _text(note.get("body")), where
                )

    def failures(self, branch: str, commit: str = "") -> list[Failure]:
        found = self.cli.object("ci", "get", "--branch", branch, "--with-job-details", "--output", "json")
        jobs, at = found.get("jobs"), _text(found.get("sha"))
        red = [job for job in jobs if isinstance(job, dict)] if isinstance(jobs, list) else []
        red = [job for job in red if job.get("status") == "failed" and not job.get("allow_failure")]
        return [
            Failure(
                _text(job.get("name")),
                _text(job.get("web_url") or found.get("web_url")),
                at,
                self.cli.run("ci", "trace", _text(job.get("id")), "--branch", branch)[-_LOG:],
            )
            for job in red[:_LOGS]
            if commit in ("", at)
        ]


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


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int) else ""


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


def quoted(text: str) -> str:
    """A stranger's words as a quotation: no line of them stands for anything else."""
    return "\n".join(f"> {line}".rstrip() for line in printable(text).strip("\n").splitlines())
