"""A session of the fleet that stands in some way on one machine, and a person who acts on it from another: no worker of
the fleet runs, so what a command leaves undone stays undone."""

import io
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import psycopg
import yaml
from kit import GOOD_CHILD, git
from machines import REMOTE, Machine, make_fleet

from samoloop.config import projects
from samoloop.core.session import Session
from samoloop.fleet import copies, transport
from samoloop.fleet import here as this_machine
from samoloop.fleet.database import Database
from samoloop.fleet.parcel import Kind
from samoloop.fleet.rows import SessionRow
from samoloop.ui.cli import main
from samoloop.worker.lease import FILES, locked

NAME = "auth"
# Where a file of this name lies beside it, the child does what that says, and else its work.
CHILD = (
    """
here=$(dirname "$0")
if [ -e "$here/block" ]; then signal '{"status": "blocked", "reason": "stuck"}'; exit; fi
if [ -e "$here/file" ]; then echo "KEY=" > "$SAMOLOOP_WORKTREE/local.env"
  signal '{"status": "waiting", "for": "file_update", "file": "local.env", "reason": "the key"}'; exit; fi
"""
    + GOOD_CHILD
)


@dataclass(frozen=True)
class Did:
    """What a command came to."""

    code: int
    said: str
    parcels: int  # that the remote got of it
    kind: str = ""  # of the newest of them
    row: SessionRow | None = None  # what the database says of it then


def new(one: Machine, session: Session) -> None:
    """Handed in and nothing more."""


def flagged(name: str) -> Callable[[Machine, Session], None]:
    def make(one: Machine, session: Session) -> None:
        flag = one.child.with_name(name)
        flag.touch()
        one.iterate(session)
        flag.unlink()

    return make


def at_questions(one: Machine, session: Session) -> None:
    one.iterate(session)
    one.iterate(session)


def at_plan(one: Machine, session: Session) -> None:
    at_questions(one, session)
    said(one, "answer", NAME, "Q1=A")
    one.iterate(session)
    one.iterate(session)


def done(one: Machine, session: Session) -> None:
    while session.state().condition.value != "done" or not session.state().rests:
        one.iterate(session, yes=True)


def archived(one: Machine, session: Session) -> None:
    done(one, session)
    code, text = said(one, "archive", NAME)
    assert code == 0 and "Removed the worktree" in text, text


STATES: Mapping[str, Callable[[Machine, Session], None]] = {
    "at work": new,
    "at questions": at_questions,
    "at a plan": at_plan,
    "at a file": flagged("file"),
    "blocked": flagged("block"),
    "done": done,
    "archived": archived,
}


def said(machine: Machine, *words: str) -> tuple[int, str]:
    """What a command says there, and its exit code."""
    before, out = Path.cwd(), io.StringIO()
    with machine.at_work():
        os.chdir(machine.root)
        code: object = 0
        try:
            with redirect_stdout(out), redirect_stderr(out):
                main(list(words))
        except SystemExit as error:
            code = error.code
        finally:
            os.chdir(before)
    return int(code or 0), out.getvalue()


class Scene:
    """Two machines and a session in one of these states, last on the first of them; `again` puts all of it back."""

    def __init__(self, folder: Path, state: str, url: str, database: Database) -> None:
        self._now, self._kept, self._url, self._database = folder / "now", folder / "kept", url, database
        self._now.mkdir()
        self.one, self.two = make_fleet(self._now, CHILD)
        for machine in (self.one, self.two):
            (machine.root / ".samoloop.yaml").write_text(yaml.safe_dump(machine.said))
            settings = machine.home / ".config" / "samoloop" / "config.yaml"
            settings.parent.mkdir(parents=True)
            settings.write_text(yaml.safe_dump({"fleet": {"machine": machine.name, "database": url}}))
            with machine.at_work():
                projects.register(machine.root, os.environ)
        session = self.one.hand_in(name=NAME)
        STATES[state](self.one, session)
        self.one.send(session, Kind.ITERATION)
        self.name, self.folder = session.name, self.two.place(session.name)[0].dir
        with self.one.at_work(), locked(session, FILES):
            session.forget()
            self._row = copies.row_of(session, this_machine.here(os.environ), os.environ)
        self._is_at_work = state == "at work"
        shutil.copytree(self._now, self._kept, symlinks=True)
        self._begin()

    def again(self) -> None:
        shutil.rmtree(self._now)
        shutil.copytree(self._kept, self._now, symlinks=True)
        self._begin()

    def _begin(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("DELETE FROM procrastinate_jobs")
            connection.execute("DELETE FROM samoloop_sessions")
            self._database.put(self._row)
            if self._is_at_work:
                connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        self._before = self.parcels()

    def parcels(self) -> list[str]:
        """Of the session, on the remote, the newest first."""
        with self.two.at_work():
            where = git(self.two.root, "config", "remote.origin.url")
            return git(Path(where), "rev-list", "--first-parent", transport.fleet_ref(self.name)).split()

    def did(self, *words: str) -> Did:
        """A command on the second machine."""
        return self.after(*said(self.two, *words))

    def after(self, code: int, text: str) -> Did:
        """What the remote and the database have, now that somebody acted."""
        new = self.parcels()[: -len(self._before)]
        kind = (
            git(
                self.two.root,
                "show",
                f"{transport.take(self.two.repo, REMOTE, transport.fleet_ref(self.name))}:parcel.json",
            )
            if new
            else "{}"
        )
        row = self._database.session(self._row.project, self.name)
        return Did(code, text, len(new), json.loads(kind).get("kind", ""), row)
