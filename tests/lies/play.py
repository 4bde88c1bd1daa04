"""One session of the corpus, through the real command in a fresh project, and what became of it."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from corpus import HERE, Case

LIMIT_SECONDS = 300
KIND_OF = {  # the rooms that see something, by the word that they sign with
    "tree": "tree facts",
    "git": "tree facts",
    "plan": "plan ledger",
    "documents": "document ledger",
    "shortcut": "shortcut guard",
    "checks": "checks",
}
SWAP = "swap"  # the word of checks whose tests are green, when other tests are put in their place
_KEPT = ("LANG", "LC_ALL", "TMPDIR", "npm_config_", "PIP_", "SSL_", "NODE_EXTRA", "CARGO_HOME", "RUSTUP_HOME")


@dataclass(frozen=True)
class Said:
    """One thing that the worker saw and told."""

    kind: str  # of evidence
    words: str
    veto: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a session."""

    case: Case
    done: bool  # it came to its end
    through: bool  # what it claims got onto the branch
    said: tuple[Said, ...]  # by the worker, in its order
    seconds: float
    folder: Path

    @property
    def vetoes(self) -> list[str]:
        """The kinds of evidence that did not let a child leave its phase."""
        return list(dict.fromkeys(said.kind for said in self.said if said.veto))

    @property
    def kinds(self) -> list[str]:
        """All that spoke, also where something was only put back or left out, and said."""
        return list(dict.fromkeys(said.kind for said in self.said))

    @property
    def vetoed(self) -> bool:
        """Of an honest session: something stood in its way."""
        return bool(self.vetoes) or not self.done


def play(case: Case, folder: Path, checks: bool) -> Outcome:
    """Run it in `folder`, with or without evidence."""
    folder.mkdir(parents=True)
    environ = surroundings(folder)
    if case.script:
        settings(case, folder / "home", checks)
        repo = project(case, folder, environ)
        command = ["run", "--yes", "--no-wait", "--workflow", case.workflow, "--session", "s", case.title]
    else:
        repo = folder / case.name.removeprefix("example-")
        name = repo.name
        command = ["example", "run", name, "--provider", "demo", "--yes", "--keep", str(folder)]
        if not checks:
            raise SystemExit("an example is always run with its evidence")
    started = time.monotonic()
    with (folder / "output").open("wb") as output:
        code = subprocess.run(
            [sys.executable, "-m", "samoloop", *command],
            cwd=repo if case.script else folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_SECONDS,
            check=False,
        ).returncode
    seconds = time.monotonic() - started
    if code == 2:
        raise SystemExit(f"{case.name} could not be run:\n{(folder / 'output').read_text()}")
    done = code == 0
    return Outcome(
        case,
        done,
        done and (not case.got_through or holds(case.got_through, repo, environ)),
        tuple(evidence(repo)),
        seconds,
        folder,
    )


def surroundings(folder: Path) -> dict[str, str]:
    """An environment of its own: an empty home, this samoloop's Python first, no plugins of the machine."""
    home = folder / "home"
    home.mkdir()
    home.joinpath(".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    kept = {name: value for name, value in os.environ.items() if name.startswith(_KEPT)}
    return kept | {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(HERE.parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }


def settings(case: Case, home: Path, checks: bool) -> None:
    """The settings of the person: they name the scripted child, which may read the corpus."""
    command = ["sh", str(HERE / "child.sh"), case.project, case.workflow, str(case.script)]
    said = {
        "provider": "scripted",
        "providers": {"scripted": {"command": command}},
        "sandbox": {"read": [str(HERE)]},
        **({} if checks else {"checks": "off"}),
    }
    path = home / ".config" / "samoloop" / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(said))


def project(case: Case, folder: Path, environ: dict[str, str]) -> Path:
    """A fresh repository with the project as it is before the session."""
    repo, source = folder / "till", HERE / "projects" / case.project
    for state in ("base", *case.base):
        shutil.copytree(source / state, repo, dirs_exist_ok=True)
    for name in case.without:
        path = repo / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for words in (["init", "-q", "-b", "main"], ["add", "--all"], ["commit", "-qm", "Start"]):
        subprocess.run(["git", *words], cwd=repo, env=environ, check=True)
    return repo


def evidence(repo: Path) -> list[Said]:
    """What the worker itself saw and said to the next child, from the journal."""
    (journal,) = repo.glob("_sessions/*/_history.jsonl")
    found = []
    green = False  # what the session's own tests said last
    for line in journal.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["event"] == "checks.ran" and record["kind"] == "now":
            green = record["outcome"] == "passed"
        decision = record.get("decision") or {}
        for note in decision.get("notes", ()):
            if kind := KIND_OF.get(note["kind"]):
                kind = SWAP if kind == "checks" and green else kind
                found.append(Said(kind, note["text"], veto=decision.get("vetoed", False)))
    return found


def holds(condition: str, repo: Path, environ: dict[str, str]) -> bool:
    """Whether a shell condition is true on the session's branch."""
    journal = next(repo.glob("_sessions/*/_history.jsonl"))
    created = json.loads(journal.read_text(encoding="utf-8").partition("\n")[0])
    where = Path(created["worktree"])
    return (
        subprocess.run(
            ["sh", "-c", condition],
            cwd=where,
            env={**environ, "BASE": created["base"]},
            capture_output=True,
            check=False,
            timeout=60,
        ).returncode
        == 0
    )
