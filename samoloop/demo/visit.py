"""One visit of the scripted child: what it was told, and the things that it can really do.

Standard library only; a child is a process of its own and must start fast.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from samoloop.base.values import frozen
from samoloop.demo import notes
from samoloop.demo.commands import CommandRun, run
from samoloop.demo.events import Events
from samoloop.git.calls import execute

IDENTITY = ("-c", "user.name=samoloop demo", "-c", "user.email=demo@samoloop.invalid")


class CannotGoOn(Exception):
    """The script does not fit what it found; a sentence for the human."""


@frozen
class Hit:
    """One line that a search found."""

    path: str
    line: int
    text: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"


class Visit:
    """The child's eyes and hands. Everything it does is an event on its output."""

    def __init__(self, environ: Mapping[str, str], prompt: str, events: Events) -> None:
        self.session = Path(environ["SAMOLOOP_SESSION_DIR"])
        self.worktree = Path(environ["SAMOLOOP_WORKTREE"])
        self.phase = environ["SAMOLOOP_PHASE"]
        self.iteration = int(environ["SAMOLOOP_ITERATION"])
        self.events = events
        self.facts = notes.Facts.parse(prompt, self.phase)
        self._signal = Path(environ["SAMOLOOP_SIGNAL"])
        self._environ = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
        events.has_read(prompt)

    # --- the worktree -------------------------------------------------------------------------------------------------

    def read(self, path: str) -> str:
        """A file of the worktree."""
        return self._read(self.worktree / path, path)

    def write(self, path: str, text: str) -> None:
        """A whole file of the worktree."""
        target = self.worktree / path
        with self.events.tool("Write", path):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        self.events.has_written(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace one place in a file, unless a child before did so and was interrupted.

        Raises CannotGoOn where that place is not there, or not the only one.
        """
        target = self.worktree / path
        with self.events.tool("Edit", path):
            text = target.read_text(encoding="utf-8") if target.is_file() else ""
            if new in text:
                return
            if text.count(old) != 1:
                raise CannotGoOn(f"{path} is not as the script expects it: {old.strip().splitlines()[0]!r} is needed")
            target.write_text(text.replace(old, new), encoding="utf-8")
        self.events.has_written(new)

    def remove(self, path: str) -> None:
        """A file of the worktree, away."""
        with self.events.tool("Bash", f"rm {path}"):
            (self.worktree / path).unlink()

    def search(self, patterns: Sequence[str]) -> list[Hit]:
        """Every line of the project that one of these extended regular expressions matches."""
        where = () if (self.worktree / ".git").exists() else ("--no-index", "--exclude-standard")
        each = [word for pattern in patterns for word in ("-e", pattern)]
        sessions = self.session.parent
        inside = sessions.is_relative_to(self.worktree)  # a session in place
        aside = (f":(exclude){sessions.relative_to(self.worktree)}",) if inside else ()
        with self.events.tool("Grep", " | ".join(patterns)):
            found = self._git("grep", *where, "-n", "-I", "-E", "-i", "--no-color", *each, "--", ".", *aside) or ""
        hits = []
        for row in found.splitlines():
            match = re.match(r"(.+?):(\d+):(.*)", row)
            if match:
                hits.append(Hit(match[1], int(match[2]), match[3].strip()))
        self.events.has_read(found)
        return hits

    def run(self, argv: Sequence[str]) -> CommandRun:
        """Run a command in the worktree."""
        with self.events.tool("Bash", shlex.join(argv)):
            ran = run(argv, self.worktree, self._environ)
        self.events.has_read(ran.output)
        return ran

    def commit(self, subject: str, body: str = "") -> str:
        """Commit everything there is to commit; returns the short hash of the last commit.

        Empty where git may not write: the worker commits then.
        """
        with self.events.tool("Bash", f"git commit -m {subject!r}"):
            if self._git("add", "--all") is not None and self._git("diff", "--cached", "--quiet") is not None:
                return self.head()
            message = ["-m", subject] + (["-m", body] if body else [])
            committed = self._git(*IDENTITY, "commit", "--quiet", *message) is not None
        return self.head() if committed else ""

    def head(self) -> str:
        """The short hash of the last commit; empty where there is none."""
        return (self._git("rev-parse", "--short", "--verify", "--quiet", "HEAD") or "").strip()

    def changed(self, *options: str) -> str:
        """`git diff` against the commit that the session started from."""
        base = self.base()
        with self.events.tool("Bash", f"git diff {' '.join(options)} {base}".strip()):
            found = (self._git("diff", "--no-color", *options, base) or "") if base else ""
        self.events.has_read(found)
        return found

    def base(self) -> str:
        """The commit that the session started from, as its first document notes it; else the last commit."""
        for path in (*self.documents("dive"), *self.documents("testing")):
            match = re.search(r"^- Base commit: `(\w+)`", path.read_text(encoding="utf-8"), re.MULTILINE)
            if match:
                return match[1]
        return self.head()

    def _git(self, *arguments: str) -> str | None:
        """What git says, in the worktree; None where it fails, which each caller has an answer to."""
        environ = self._environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        done = execute(arguments, cwd=self.worktree, environ=environ)
        return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None

    # --- the session folder -------------------------------------------------------------------------------------------

    def read_note(self, name: str) -> str:
        """A file of the session folder; empty where it is missing."""
        path = self.session / name
        return self._read(path, name) if name and path.is_file() else ""

    def write_note(self, name: str, text: str) -> None:
        """A whole file of the session folder; a reader sees the old text or the new."""
        with self.events.tool("Write", name):
            put(self.session / name, text)
        self.events.has_written(text)

    def document(self, kind: str, slug: str, text: str) -> str:
        """A new document of the session; returns its name."""
        name = notes.free_name(self.session, f"{self.facts.today}-{kind}-{slug}")
        self.write_note(name, text)
        return name

    def documents(self, kind: str) -> list[Path]:
        """The documents of one kind, oldest first."""
        return sorted(self.session.glob(f"??-??-????-{kind}-*.md"), key=lambda path: (path.stat().st_mtime_ns, path))

    def look_back(self, done: str, following: str, files: Sequence[str] = ()) -> None:
        """Make the overview true."""
        text = self.read_note(notes.OVERVIEW)
        entry = f"- {self.iteration:03d} {self.phase}: {done}"
        self.write_note(notes.OVERVIEW, notes.updated(text, done, following, entry, files))

    def signal(self, fields: Mapping[str, object]) -> None:
        """The last thing that a child does."""
        with self.events.tool("Write", self._signal.name):
            put(self._signal, notes.signal_text(fields))

    def _read(self, path: Path, shown: str) -> str:
        with self.events.tool("Read", shown):
            text = path.read_text(encoding="utf-8", errors="replace")
        self.events.has_read(text)
        return text


def put(path: Path, text: str) -> None:
    """Write beside and rename."""
    beside = path.with_name(path.name + ".tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
