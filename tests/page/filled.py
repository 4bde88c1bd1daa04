"""Projects and sessions in which every field that a child or a file name can fill holds a text of one's choice.

One session is played for real, by a child that writes a mark everywhere, and its folders are kept at the moments that
differ for a person. For each text they are copied, with the mark replaced in all their files.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit import git, make_repo, samoloop
from texts import file_name

from samoloop.config.projects import register
from samoloop.core import control
from samoloop.core.session import Session
from samoloop.ui.web import site

MARK = "Mark0000here"
MOMENTS = ("blocked", "asks", "plans", "acts", "done")
_SEAL = re.compile(rb',"seal":"[0-9a-f]{16}"\}$', re.MULTILINE)
_HOLD = """import fcntl, sys
files = [open(path, "a") for path in sys.argv[1:]]
for file in files:
    fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()"""
_ROOTED = re.compile(rb'^.*"event":"rooted".*\n', re.MULTILINE)
_CHILD = Path(__file__).with_name("marked_child.py")
_ADA = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "a@example.org"}
_ADA |= {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "a@example.org"}


@dataclass(frozen=True)
class Played:
    """The marked session: its project at the end, and its folders at each moment."""

    root: Path
    kept: Path
    name: str


def project(folder: Path) -> Path:
    """A repository whose sessions are played by the marked child, with a check that has the mark in all its fields."""
    root = make_repo(folder)
    provider = {"command": [sys.executable, str(_CHILD)], "output": "jsonl", "env": {"MARK": MARK}}
    check = {"command": f"echo '{MARK}'; echo '{MARK}' >&2; test -e works"}
    settings = {"provider": "marked", "providers": {"marked": provider}, "checks": {MARK: check}}
    (root / ".samoloop.yaml").write_text(json.dumps(settings))
    backlog = root / ".samoloop" / "backlog"
    backlog.mkdir(parents=True)
    (backlog / "good.md").write_text(f"---\npriority: 1\n---\n# {MARK}\n\n{MARK}\n")
    (backlog / "bad.md").write_text(f"---\n{MARK}: {MARK}\n---\n{MARK}\n")
    (root / ".samoloop" / "learned.md").write_text(f"- {MARK} ({MARK}; {MARK})\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", MARK)
    return root


def play(folder: Path) -> Played:
    """Play the session to its end, by commands, at home in `HOME`."""
    root, kept = project(folder / "repo"), folder / "kept"

    def say(*words: str, code: int) -> None:
        done = samoloop(root, *words, env=_ADA)
        assert done.returncode == code, (words, done.stdout, done.stderr)

    def session() -> Session:
        return Session(next((root / "_sessions").glob("*/_overview.md")).parent)

    def keep(moment: str) -> None:
        shutil.copytree(session().dir, kept / moment / "session", symlinks=True)
        shutil.copytree(session().control, kept / moment / "control", symlinks=True)

    say("run", "--no-wait", "--session", "marked", MARK, code=4)
    keep("blocked")
    say("tell", MARK, code=0)
    say("resume", "--no-wait", code=3)
    keep("asks")
    say("answer", f"Q1={MARK}", f"Q2={MARK}", code=0)
    say("resume", "--no-wait", code=3)
    say("changes", "-m", MARK, code=0)
    say("resume", "--no-wait", code=3)
    keep("plans")
    say("approve", code=0)
    say("resume", "--no-wait", code=3)
    keep("acts")
    say("answer", "done", code=0)
    say("resume", "--no-wait", code=0)
    keep("done")
    return Played(root, kept, session().name)


def fill(played: Played, folder: Path, text: str) -> dict[str, Path]:
    """A registered project named by the text as far as a folder can be, with a session for each moment; their folders.

    `damaged` is one whose journal has a record that nobody knows, named by the text; in `works` a child is at work.
    """
    root = folder / file_name(text)
    shutil.copytree(played.root, root, symlinks=True, ignore=shutil.ignore_patterns("_sessions", "worktrees", ".git"))
    shutil.copytree(played.root / ".git", root / ".git", symlinks=True, ignore=shutil.ignore_patterns("worktrees"))
    _replace(root / ".samoloop", {MARK: text})
    _replace(root / ".samoloop.yaml", {MARK: text})
    folders = {moment: _copy(played, moment, root, text) for moment in MOMENTS}
    folders["damaged"] = _copy(played, "asks", root, text, "damaged")
    with (control.place_of(folders["damaged"]) / control.JOURNAL).open("a") as journal:
        journal.write(json.dumps({"event": text, "at": text}) + "\n")
    folders["works"] = _copy(played, "done", root, text, "works")
    journal = control.place_of(folders["works"]) / control.JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if b'"event":"started"' in line)
    journal.write_bytes(b"".join(lines[: last + 1]))
    register(root, os.environ)
    return folders


def url_of(folder: Path) -> str:
    """The page of a session."""
    return site.url_of(Session(folder))


@contextmanager
def at_work(*folders: Path) -> Iterator[None]:
    """Sessions whose worker and child seem to be alive: another process, which nobody descends from, has the locks."""
    places = [control.place_of(folder) for folder in folders]
    locks = [str(place / name) for place in places for name in (control.LOCK, control.CHILD_LOCK)]
    with subprocess.Popen([sys.executable, "-c", _HOLD, *locks], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as held:
        assert held.stdout is not None
        held.stdout.readline()
        yield


def _copy(played: Played, moment: str, root: Path, text: str, name: str = "") -> Path:
    """Its name stays where it is done, so that its checkpoints are its own."""
    name = f"26-11-21-{name or moment}" if name or moment != "done" else played.name
    folder = root / "_sessions" / name
    left = shutil.ignore_patterns(control.JOURNAL, control.LOGS)
    shutil.copytree(played.kept / moment / "session", folder, symlinks=True, ignore=left)
    place = control.place_of(folder)
    shutil.copytree(played.kept / moment / "control", place, symlinks=True)
    control.lay_links(folder, place)
    for part in (folder, place):
        _replace(part, {MARK: text, str(played.root): str(root), f'"session":"{played.name}"': f'"session":"{name}"'})
    return folder


def _replace(place: Path, words: dict[str, str]) -> None:
    """In one file, or all of a folder; in JSON as it spells them."""
    for file in place.rglob("*") if place.is_dir() else (place,):
        if file.is_symlink() or not file.is_file():
            continue
        is_json = file.suffix in (".json", ".jsonl", ".yaml")
        data = file.read_bytes()
        for old, new in words.items():
            spelled = json.dumps(new)[1:-1] if is_json and not old.startswith('"') else new
            data = data.replace(old.encode(), spelled.encode("utf-8", "replace"))
        if file.name == control.JOURNAL:  # a copy, of which no worker knows the folders yet
            data = _ROOTED.sub(b"", _SEAL.sub(b"}", data))
        file.write_bytes(data)
