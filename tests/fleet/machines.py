"""Machines of a fleet on this one: a bare remote, and clones of it, each with a home and a state folder of its own."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit import IDENTITY, Recorder, git, make_repo, script

from samoloop.api.asked import How, Order
from samoloop.api.go_on import go_on
from samoloop.api.hand_off import hand_off
from samoloop.children.stop import StopRequest
from samoloop.config import loading
from samoloop.core.rules import Decision
from samoloop.core.session import Session, resolve
from samoloop.fleet import mark as marks
from samoloop.fleet import parcel as parcels
from samoloop.fleet import placing, transport
from samoloop.fleet.mark import Mark
from samoloop.fleet.parcel import Kind, Parcel
from samoloop.git.repo import Repo
from samoloop.worker.lease import FILES

REMOTE = "origin"


@dataclass
class Machine:
    """A host of a fleet: its environment is in force in the block `with machine.at_work():`."""

    name: str
    home: Path
    root: Path  # its clone
    child: Path
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def said(self) -> dict[str, Any]:
        return {"provider": "scripted", "providers": {"scripted": {"command": [str(self.child)]}}, **self.settings}

    @property
    def environ(self) -> dict[str, str]:
        return dict(os.environ)

    @property
    def repo(self) -> Repo:
        return Repo.find(self.root)

    @contextmanager
    def at_work(self) -> Iterator["Machine"]:
        before = {name: os.environ.get(name) for name in ("HOME", "XDG_STATE_HOME")}
        os.environ |= {"HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state")}
        try:
            yield self
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def hand_in(self, task: str = "Add a feature", name: str = "auth") -> Session:
        """A session of this machine's, given to the fleet."""
        with self.at_work():
            session = hand_off(Order(self.root, task, base="HEAD", name=name, said=self.said), self.environ)
            project = transport.project_id(self.repo, REMOTE)
            marks.write(session.dir, Mark(project, REMOTE, self.name))
            self.send(session, Kind.HANDED_IN)
            return session

    def send(self, session: Session, kind: str, by: str = "") -> list[str]:
        with self.at_work():
            session.forget()
            return transport.push(session, parcels.pack(session, kind, self.name, by))

    def fetch(self, name: str) -> Parcel:
        with self.at_work():
            found = transport.fetch(self.repo, REMOTE, name)
            assert found is not None
            return found

    def place(self, name: str, notes: tuple[str, ...] = ()) -> tuple[Session, list[str]]:
        """The newest parcel of a session, placed here, and what was said of it."""
        said: list[str] = []
        with self.at_work():
            return placing.place(
                self.fetch(name), self.root, self.environ, self.name, notes, lambda _, new: said.extend(new)
            ), said

    def renew(self, session: Session, theirs: Parcel) -> list[str]:
        """The copy here made as a parcel has it, and what was said of that."""
        said: list[str] = []
        with self.at_work():
            placing.renew(session, theirs, self.environ, self.name, lambda _, new: said.extend(new))
        return said

    def session(self, name: str) -> Session:
        with self.at_work():
            return resolve(loading.load(self.root, self.environ).sessions_dir, name)

    def iterate(self, session: Session, **how: Any) -> Decision:
        """One iteration, or what stands before the next one."""
        session.forget()
        with self.at_work():
            return go_on(
                session,
                How(said=self.said, no_wait=True, once=True, **{"attended": True, **how}),
                environ=self.environ,
                open_view=lambda session, stop: nullcontext(Recorder()),
                stop=StopRequest(),
                lease=FILES,
            )

    def git(self, *words: str) -> str:
        return git(self.root, *words)


def own_clone(folder: Path, name: str) -> tuple[Path, Path]:
    """A home, and a clone of the remote under a path that no other machine has."""
    home, root = folder / name / "home", folder / name / f"in-{name}" / "project"
    home.mkdir(parents=True)
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    git(folder, "clone", "--quiet", str(folder / "remote.git"), str(root))
    return home, root


def make_fleet(folder: Path, child: str, names: tuple[str, ...] = ("one", "two"), **settings: Any) -> list[Machine]:
    """A bare remote, and clones of it under different paths."""
    seed = make_repo(folder / "seed")
    git(folder, "clone", "--quiet", "--bare", str(seed), str(folder / "remote.git"))
    machines = []
    for name in names:
        home, root = own_clone(folder, name)
        program = script(folder / name, child) if child else folder / name / "child.sh"
        machines.append(Machine(name, home, root, program, settings))
    return machines


def hook(repository: Path, name: str, body: str) -> None:
    """A hook of a repository, in sh."""
    path = repository / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def remote_git(machine: Machine, *words: str) -> str:
    """Git on the remote itself."""
    where = git(machine.root, "config", "remote.origin.url")
    done = subprocess.run(["git", *IDENTITY, *words], cwd=where, capture_output=True, text=True, check=True)
    return done.stdout.strip()
