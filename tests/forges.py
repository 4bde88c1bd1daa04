"""Stand-ins for `gh` and `glab`: they write down what they are asked, and answer as the real ones do.

They keep their pull requests in a folder, which a test reads, and fills to say what the forge has. Flags, exit codes
and the shape of what is printed are those of gh 2.x and glab 1.x.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_PROGRAM = """#!{python}
import sys
sys.path.insert(0, {tests!r})
import forges
sys.exit(forges.main({program!r}, sys.argv[1:], {folder!r}))
"""


class Forge:
    """What a test sees of one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bin").mkdir(parents=True)

    def install(self, *programs: str) -> dict[str, str]:
        """The environment in which these are found first."""
        for program in programs:
            path = self.folder / "bin" / program
            tests = str(Path(__file__).resolve().parent)
            path.write_text(
                _PROGRAM.format(python=sys.executable, tests=tests, program=program, folder=str(self.folder))
            )
            path.chmod(0o755)
        return {"PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def says(self, **state: Any) -> None:
        """What it has: `trouble` (auth, rights, draft, ...), `checks`, `reviews`, `comments`, `log`."""
        _write(self.folder / "state.json", {**_read(self.folder / "state.json", {}), **state})

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Each call: `words`, `stdin`, `cwd`."""
        path = self.folder / "asked"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def pulls(self) -> list[dict[str, Any]]:
        return list(_read(self.folder / "pulls.json", []))

    def put(self, pulls: Sequence[dict[str, Any]]) -> None:
        _write(self.folder / "pulls.json", list(pulls))


def main(program: str, words: list[str], where: str) -> int:
    """One call of the program."""
    folder = Path(where)
    state = _read(folder / "state.json", {})
    stdin = sys.stdin.read() if "-" in words else ""
    with (folder / "asked").open("a") as log:
        log.write(json.dumps({"program": program, "words": words, "stdin": stdin, "cwd": str(Path.cwd())}) + "\n")
    if state.get("trouble") == "auth":
        if program == "gh":
            print("To get started with GitHub CLI, please run:  gh auth login", file=sys.stderr)
            return 4
        print("x gitlab.com: API call failed: 401 {message: 401 Unauthorized}", file=sys.stderr)
        return 1
    pulls = _read(folder / "pulls.json", [])
    answer = {"gh": _gh, "glab": _glab}[program]
    return answer(words, stdin, state, pulls, folder)


def _gh(words: list[str], stdin: str, state: dict[str, Any], pulls: list[dict[str, Any]], folder: Path) -> int:
    match words[:2]:
        case ["pr", "list"]:
            rows = [pull for pull in pulls if pull["headRefName"] == _after(words, "--head")]
            fields = _after(words, "--json").split(",")
            print(json.dumps([{name: row.get(name) for name in fields} for row in rows[::-1]]))
            return 0
        case ["pr", "create"]:
            return _gh_create(words, stdin, state, pulls, folder)
        case ["repo", "view"]:
            print(json.dumps({"owner": {"id": "x", "login": state.get("owner", "ada")}}))
            return 0
        case ["pr", "view"]:
            pull = next(pull for pull in pulls if pull["url"] == words[2])
            more = {"statusCheckRollup": state.get("checks", []), "reviews": state.get("reviews", [])}
            print(json.dumps({name: {**pull, **more}.get(name) for name in _after(words, "--json").split(",")}))
            return 0
        case ["api", "--hostname"]:
            print(json.dumps(state.get("comments", [])))
            return 0
        case ["run", "list"]:
            runs = [row for row in state.get("runs", []) if row.get("headBranch") == _after(words, "--branch")]
            print(json.dumps([{name: row.get(name) for name in _after(words, "--json").split(",")} for row in runs]))
            return 0
        case ["run", "view"]:
            assert "--log-failed" in words
            print(state["log"])
            return 0
    print(f'unknown command "{words[0]}" for "gh"', file=sys.stderr)
    return 1


def _gh_create(words: list[str], stdin: str, state: dict[str, Any], pulls: list[dict[str, Any]], folder: Path) -> int:
    head, draft = _after(words, "--head"), "--draft" in words
    if state.get("trouble") == "rights":
        print("pull request create failed: GraphQL: must be a collaborator (createPullRequest)", file=sys.stderr)
        return 1
    if state.get("trouble") == "draft" and draft:
        print(
            "pull request create failed: GraphQL: Draft pull requests are not supported in this repository. "
            "(createPullRequest)",
            file=sys.stderr,
        )
        return 1
    ours = [pull for pull in pulls if pull["headRefName"] == head and not pull["isCrossRepository"]]
    open_one = next((pull for pull in ours if pull["state"] == "OPEN"), None)
    if open_one:
        url = open_one["url"]
        print(f'a pull request for branch "{head}" into branch "main" already exists:\n{url}', file=sys.stderr)
        return 1
    number = len(pulls) + 1
    pull = {
        "number": number,
        "url": f"https://github.com/ada/thing/pull/{number}",
        "state": "OPEN",
        "isDraft": draft,
        "headRefName": head,
        "baseRefName": _after(words, "--base") or "main",
        "isCrossRepository": False,
        "headRepositoryOwner": {"id": "x", "login": "ada"},
        "title": _after(words, "--title"),
        "body": stdin,
    }
    _write(folder / "pulls.json", [*pulls, pull])
    if state.get("hangs"):
        _write(folder / "hanging.json", os.getpid())
        time.sleep(600)
    print(pull["url"])
    return 0


def _glab(words: list[str], stdin: str, state: dict[str, Any], pulls: list[dict[str, Any]], folder: Path) -> int:
    match words[:2]:
        case ["mr", "list"]:
            branch = _after(words, "--source-branch")
            print(json.dumps([pull for pull in pulls[::-1] if pull["source_branch"] == branch]))
            return 0
        case ["mr", "create"]:
            assert "--yes" in words, "it would ask"
            number = len(pulls) + 1
            pull = {
                "iid": number,
                "web_url": f"https://gitlab.com/ada/thing/-/merge_requests/{number}",
                "state": "opened",
                "draft": "--draft" in words,
                "source_branch": _after(words, "--source-branch"),
                "source_project_id": 7,
                "target_project_id": 7,
                "title": _after(words, "--title"),
                "description": next(word for word in words if word.startswith("--description="))[14:],
            }
            _write(folder / "pulls.json", [*pulls, pull])
            print(f"\n!{number} {pull['title']} ({pull['source_branch']})\n {pull['web_url']}\n")
            return 0
        case ["api", path]:
            print(json.dumps(next(value for key, value in state["api"].items() if path.endswith(key))))
            return 0
        case ["ci", "get"]:
            print(json.dumps(state.get("pipeline")))
            return 0
        case ["ci", "trace"]:
            print(state["log"])
            return 0
    print(f"Unknown command: {words[0]}", file=sys.stderr)
    return 1


def _after(words: list[str], flag: str) -> str:
    return words[words.index(flag) + 1] if flag in words else ""


def _read(path: Path, other: Any) -> Any:
    return json.loads(path.read_text()) if path.exists() else other


def _write(path: Path, value: Any) -> None:
    path.with_suffix(".tmp").write_text(json.dumps(value))
    path.with_suffix(".tmp").replace(path)
