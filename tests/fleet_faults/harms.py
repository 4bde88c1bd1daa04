"""The faults of a fleet's run. Each takes effect at once, and tells what puts things right and after how long."""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from checker import Outage
from hosts import Host
from scene import SMALL_DISK, Machine, Scene, uptime

SEEKS_SECONDS = 1.0  # for a victim to be there; else it is tried again later
AN_HOUR = 3600


@dataclass
class Harm:
    """A fault that was brought about."""

    kind: str
    at: float
    where: str
    undo: Callable[[], object] | None = None
    after: float = 0.0  # seconds, until `undo`
    costs: tuple[str, ...] = ()  # machines whose turns may be another's by it


class Harms:
    """What can be done to the machines of a scene, what lies between them, and what they stand on."""

    def __init__(self, scene: Scene, chance: random.Random) -> None:
        self.scene, self.chance = scene, chance
        self.outages: list[Outage] = []
        self._open: list[Harm] = []
        self.kinds: dict[str, Callable[[], Harm | None]] = {
            "SIGKILL of a fleet work": self.kill_work,
            "SIGKILL of an iteration's worker": self.kill_turn,
            "SIGKILL of a child": self.kill_child,
            "a whole host dies": self.kill_host,
            "cut off for longer than the lease": self.cut_long,
            "cut off for a moment": self.cut_short,
            "cut off from the database": lambda: self.cut_from(self.scene.server.host, "the database"),
            "cut off from the remote": lambda: self.cut_from(self.scene.remote.host, "the remote"),
            "the database is killed": lambda: self.restart_database("kill"),
            "the database is restarted": lambda: self.restart_database("stop"),
            "the remote is gone": self.stop_remote,
            "a full disk": self.fill_disk,
            "the clock is an hour off": self.jump,
        }

    def bring(self, kind: str) -> Harm | None:
        """Bring one about; None where there is no victim now."""
        harm = self.kinds[kind]()
        if harm and (harm.undo or harm.costs):
            self._open.append(harm)
        return harm

    def heal(self, everything: bool = False) -> None:
        """Put right what has been wrong for long enough."""
        for harm in list(self._open):
            if everything or uptime() >= harm.at + harm.after:
                self._open.remove(harm)
                if harm.undo:
                    harm.undo()
                # Who comes back may be taken for dead up to a lease later, and learns it after that.
                ends = uptime() + 3 * self.scene.lease_seconds
                self.outages += [Outage(name, harm.at, ends) for name in harm.costs]

    def _well(self) -> list[Machine]:
        """Machines to which nothing is happening."""
        hurt = {harm.where for harm in self._open}
        return [one for one in self.scene.machines if one.up and one.name not in hurt]

    def _one(self) -> Machine | None:
        well = self._well()
        return self.chance.choice(well) if well else None

    def _is_hurt(self, where: str) -> bool:
        return any(harm.where == where for harm in self._open)

    # By SIGKILL

    def kill_work(self) -> Harm | None:
        one = self._one()
        if one is None or one.worker is None:
            return None
        one.worker.kill()
        return Harm("SIGKILL of a fleet work", uptime(), one.name)

    def kill_turn(self) -> Harm | None:
        return self._kill(lambda one: one.turns())

    def kill_child(self) -> Harm | None:
        return self._kill(lambda one: one.pids(str(self.scene.child).encode()))

    def _kill(self, victims: Callable[[Machine], list[int]]) -> Harm | None:
        ends = time.monotonic() + SEEKS_SECONDS
        while time.monotonic() < ends:
            for one in self.chance.sample(well := self._well(), len(well)):
                for pid in victims(one):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        return Harm("", uptime(), one.name)
            time.sleep(0.05)
        return None

    def kill_host(self) -> Harm | None:
        one = self._one()
        if one is None:
            return None
        one.lose_power()

        def back() -> None:
            one.up = True
            one.look_after()

        seconds = self.chance.uniform(0.0, 2.0 * self.scene.lease_seconds)
        return Harm("", uptime(), one.name, back, seconds, (one.name,))

    # The network

    def cut_long(self) -> Harm | None:
        return self._cut(self.chance.uniform(1.3, 2.5) * self.scene.lease_seconds)

    def cut_short(self) -> Harm | None:
        return self._cut(self.chance.uniform(0.1, 0.6) * self.scene.lease_seconds)

    def _cut(self, seconds: float) -> Harm | None:
        one = self._one()
        if one is None:
            return None
        self.scene.network.cut(one.host)
        return Harm("", uptime(), one.name, lambda: self.scene.network.join(one.host), seconds, (one.name,))

    def cut_from(self, other: Host, what: str) -> Harm | None:
        """What is sent there is lost, and nobody is told: it goes to a card that is nobody's."""
        one = self._one()
        if one is None:
            return None
        self.scene.network.lose(one.host, other)
        seconds = self.chance.uniform(0.3, 2.0) * self.scene.lease_seconds
        costs = (one.name,)
        return Harm("", uptime(), one.name, lambda: self.scene.network.find(one.host, other), seconds, costs)

    # What all stand on

    def restart_database(self, how: str) -> Harm | None:
        if self._is_hurt("database"):
            return None
        self.scene.server.ask(how)
        everyone = tuple(one.name for one in self.scene.machines)
        seconds = self.chance.uniform(0.0, 1.5) * self.scene.lease_seconds
        return Harm("", uptime(), "database", lambda: self.scene.server.ask("start"), seconds, everyone)

    def stop_remote(self) -> Harm | None:
        if self._is_hurt("remote"):
            return None
        self.scene.remote.stop()
        return Harm("", uptime(), "remote", self.scene.remote.start, self.chance.uniform(0.5, 8.0))

    # One host alone

    def fill_disk(self) -> Harm | None:
        one = next((one for one in self._well() if one.name == SMALL_DISK), None)
        if one is None:
            return None
        filler = one.host.fill_disk()
        return Harm("", uptime(), one.name, filler.unlink, self.chance.uniform(1.0, 6.0), (one.name,))

    def jump(self) -> Harm | None:
        if self._is_hurt("clock"):
            return None
        self.scene.set_clock(self.chance.choice((-AN_HOUR, AN_HOUR)))
        return Harm("", uptime(), "clock", lambda: self.scene.set_clock(0), self.chance.uniform(3.0, 15.0))
