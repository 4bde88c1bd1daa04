"""The child of `fuzz.py`: a few random deeds to what is in its reach, then what its phase asks, as far as it can."""

import json
import os
import random
import shutil
import sys
from contextlib import suppress
from pathlib import Path

QUESTIONS = "# Questions\n\n### Q1: Which way?\nA) one\nB) two\n**Suggestion:** A - simpler\n**Answer:** _waiting_\n"
FOLLOWING = {
    "investigation": "requirements",
    "implementation": "testing",
    "testing": "quality",
    "quality": "done",
}
MOST_DEEDS = 6
FORGED = (
    b'{"event":"moved","at":"2026-11-21T10:00:00.000Z","from":"requirements","to":"implementation","by":"editor"}\n'
)


def main(folder: Path, seed: str) -> None:
    sys.stdin.read()
    session, tree = Path(os.environ["SAMOLOOP_SESSION_DIR"]), Path(os.environ["SAMOLOOP_WORKTREE"])
    phase = os.environ["SAMOLOOP_PHASE"]
    with (folder / "ledger").open("a") as ledger:
        ledger.write(f"{phase}\n")
        turn = ledger.tell()
    chance = random.Random(f"{seed} {turn}")
    if not (folder / "good").exists():
        for _ in range(chance.randint(0, MOST_DEEDS)):
            with suppress(OSError, shutil.Error):
                do(chance, chance.choice(reach(folder, session, tree)), folder / "outside")
    for path in (session, tree):
        if path.resolve().is_relative_to(folder / "outside") or any(one.is_symlink() for one in (path, path.parent)):
            return  # it does not write into what is the person's
    with suppress(OSError):
        act(phase, session, tree, chance)


def reach(folder: Path, session: Path, tree: Path) -> list[Path]:
    """What a CLI that may do everything comes across."""
    root = folder / "repo"
    found = [session, tree, session.parent, tree.parent, root / ".git" / "worktrees" / tree.name, tree / ".git"]
    controls = [path for path in (folder / "home/.local/state/samoloop/control").glob("*") if not path.is_symlink()]
    for top in (session, tree, *controls, root / ".git" / "worktrees" / tree.name):
        if not top.is_symlink():
            found += [top, *top.glob("*"), *top.glob("*/*")][:60]
    refs = [root / ".git/refs/heads/samoloop", root / ".git/refs/samoloop"]
    return [path for path in found + refs if not path.resolve().is_relative_to(folder / "outside") or path.is_symlink()]


def do(chance: random.Random, path: Path, outside: Path) -> None:
    """One deed. It never writes through a link, so that what changes outside was not its own doing."""
    kind = chance.choice(
        ["nothing", "link", "pipe", "folder", "deep", "garbage", "hard", "device", "forge", "cut", "swap"]
    )
    if kind in ("forge", "cut"):
        if path.is_file() and not path.is_symlink() and path.stat().st_nlink == 1:
            data = path.read_bytes()
            path.write_bytes(data + FORGED if kind == "forge" else data[: chance.randrange(len(data) + 1)])
        return
    if kind == "swap":
        if os.path.lexists(path):
            path.rename(path.with_name(f"{path.name}.swapped{chance.randrange(9)}"))
        return
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f".away-{chance.randrange(10**6)}")) if chance.random() < 0.5 else shutil.rmtree(
            path
        )
    elif os.path.lexists(path):
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link":
        targets = ["docs", "docs/thesis.tex", "repo", "repo/.git", "repo/.git/HEAD", "notes.txt", "nowhere"]
        path.symlink_to(chance.choice([*(outside / name for name in targets), Path("/dev/zero"), Path(path.name)]))
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
        (path / "x").write_text("x")
    elif kind == "deep":
        path.joinpath(*["d"] * 200).mkdir(parents=True)
    elif kind == "garbage":
        path.write_bytes(chance.randbytes(chance.randrange(5000)))
    elif kind == "hard":
        os.link(outside / "docs" / "thesis.tex", path)
    elif kind == "device":
        os.mknod(path, 0o20666, os.makedev(1, 3))


def act(phase: str, session: Path, tree: Path, chance: random.Random) -> None:
    """What the phase asks; each file is a new one, never a change of what lies there."""
    if phase == "requirements" and not (session / "asked").exists():
        put(session / "asked", "")
        put(session / "_qa.md", QUESTIONS)
        signal = {"status": "waiting", "for": "qa_answers"}
    elif phase == "requirements":
        signal = {"status": "continue", "phase": "planning"}
    elif phase == "planning":
        put(session / "plan.md", "# Plan\n")
        signal = {"status": "waiting", "for": "plan_approval", "file": "plan.md"}
    elif phase == "done":
        signal = {"status": "done", "summary": "all good"}
    else:
        put(tree / f"{phase}.txt", f"{chance.random()}\n")
        signal = {"status": "continue", "phase": FOLLOWING[phase]}
    put(Path(os.environ["SAMOLOOP_SIGNAL"]), json.dumps(signal))


def put(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part{random.randrange(10**9)}")
    part.write_text(text)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    part.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
