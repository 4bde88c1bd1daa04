"""One run of a fleet with faults: the sessions, the people, the faults, and what was seen of it."""

import argparse
import random
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from checker import Child, Ended, Outage, Said, Seen
from harms import Harms
from scene import Machine, Scene, marks_of, told, uptime

from samoloop.core.decision import Condition
from samoloop.core.gates import Gate
from samoloop.core.records import Ended as ChildEnded
from samoloop.core.records import GateClosed, Guided, Interrupted, Placed
from samoloop.core.signals import GateKind
from samoloop.core.state import State

AT_ONCE = 6  # sessions that are not at their end, so that two processors do
TWO_PEOPLE = "two people at one gate"
AGAIN_SECONDS = 6.0  # after which a person looks again at what they did
SETTLE_SECONDS = 150.0  # for one more session to come to its end when nothing breaks any more
END_SECONDS = 60.0  # for the machines to hand over what runs
_NOT_PUT_BACK = ("--invert-grep", "--grep=^samoloop: put back what iteration")
LAST_GUIDANCE = 4  # the last iteration in which a person gives guidance: a child follows that reads it


@dataclass
class Asked:
    """A session as the people know it."""

    name: str
    taken: bool = False  # the fleet has it
    done: bool = False
    guided: int = 0


class Run:
    """One run."""

    def __init__(self, scene: Scene, options: argparse.Namespace) -> None:
        self.scene, self.options = scene, options
        self.chance = random.Random(options.seed)
        self.harms = Harms(scene, random.Random(options.seed + 1))
        self.sessions: list[Asked] = []
        self.brought = Counter({TWO_PEOPLE: 0})  # it is there from the start: two threads count
        self.meetings = 0  # of two people at one gate, that are to come about
        self.said: list[Said] = []
        self.acted: dict[tuple[str, str], float] = {}  # session, gate or command -> when somebody did something
        self.words = 0
        self.hung: list[str] = []
        self.over = threading.Event()
        self.harmed = threading.Event()
        self.people = ThreadPoolExecutor(4)
        self.busy: dict[str, Future[object]] = {}  # session -> what somebody does there now

    # --- the whole of it ----------------------------------------------------------------------------------------------

    def play(self) -> Seen:
        threads = [threading.Thread(target=work, daemon=True) for work in (self._look_after, self._be_people)]
        for machine in self.scene.machines:
            machine.up = True
        for thread in threads:
            thread.start()
        self._harm_all()
        self.harmed.set()
        done, ends = 0, time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < ends and not self._all_done():
            if (now := sum(one.done for one in self.sessions)) > done:
                done, ends = now, time.monotonic() + SETTLE_SECONDS
            time.sleep(0.3)
        print(f"  {uptime():10.1f} all came to their end: {self._all_done()}", flush=True)
        self.over.set()
        for thread in threads:
            thread.join()
        self.people.shutdown(wait=True)
        self._until_copies_agree()
        left = self._end_work()
        return self._seen(left)

    def _all_done(self) -> bool:
        return len(self.sessions) >= self.options.sessions and all(one.done for one in self.sessions)

    def _look_after(self) -> None:
        while not self.over.is_set():
            for machine in self.scene.machines:
                machine.look_after()
            time.sleep(0.3)

    def _harm_all(self) -> None:
        """So many faults, while there are sessions that they can hit; all kinds come equally often."""
        kinds = [*self.harms.kinds, TWO_PEOPLE]
        plan: list[str] = []
        until_there(lambda: any(one.taken for one in self.sessions))
        while sum(self.brought.values()) < self.options.faults:
            if not plan:
                plan = self.chance.sample(kinds, len(kinds))
            kind = plan.pop()
            if kind == TWO_PEOPLE:
                self.meetings += 1
            elif self.harms.bring(kind) is None:
                plan.insert(0, kind)  # nobody was there whom it could hit
            else:
                self._count(kind)
            ends = time.monotonic() + self.chance.uniform(0.1, 1.5)
            while time.monotonic() < ends:
                self.harms.heal()
                time.sleep(0.05)
        self.harms.heal(everything=True)

    def _count(self, kind: str) -> None:
        self.brought[kind] += 1
        print(f"  {uptime():10.1f} {kind}", flush=True)

    # --- people -------------------------------------------------------------------------------------------------------

    def _be_people(self) -> None:
        """Hand sessions in, answer what asks on any machine, and say a word in between."""
        while not self.over.is_set():
            active = [one for one in self.sessions if not one.done]
            more = len(self.sessions) < self.options.sessions or not (active or self.harmed.is_set())
            if len(active) < min(AT_ONCE, self.options.sessions) and more:
                self.sessions.append(Asked(f"s{len(self.sessions) + 1:03d}"))
            for one in active:
                doing = self.busy.get(one.name)
                if doing and doing.done():
                    del self.busy[one.name]
                    doing.result()
                if one.name not in self.busy:
                    self._look_at(one)
            time.sleep(0.2)

    def _look_at(self, one: Asked) -> None:
        machine = self.chance.choice(self.scene.machines)
        if not machine.up:
            return
        if not one.taken:
            self._begin(one.name, self._hand_in, one, machine)
            return
        state = machine.state(one.name)
        if state is None:
            return
        if state.condition is Condition.DONE:
            one.done = True
        elif state.gate is not None:
            self._look_at_gate(one.name, state.gate, machine)
        elif state.condition in (Condition.FAILED, Condition.BLOCKED, Condition.STOPPED):
            if uptime() > self.acted.get((one.name, "resume"), 0.0) + AGAIN_SECONDS:
                self.acted[one.name, "resume"] = uptime()
                self._begin(one.name, self._do, machine, "resume", one.name)
        elif state.iteration < LAST_GUIDANCE and one.guided < 2 and self.chance.random() < 0.05:
            one.guided += 1
            self._begin(one.name, self._guide, one.name, machine)

    def _look_at_gate(self, name: str, gate: Gate, machine: Machine) -> None:
        """Say something there; where two people are to meet, when two machines have it open."""
        acted, machines = self.acted.get((name, gate.id)), [machine]
        if acted is None and self.meetings:
            open_on = [one for one in self.scene.machines if one.up and is_open(gate, one.state(name))]
            if len(open_on) < 2:
                return
            self.meetings -= 1
            self._count(TWO_PEOPLE)
            machines = self.chance.sample(open_on, 2)
        elif uptime() < (acted or 0.0) + AGAIN_SECONDS or self.chance.random() > 0.2:
            return
        self.acted[name, gate.id] = uptime()
        self._begin(name, self._act, name, gate, machines)

    def _begin(self, name: str, work: Callable[..., object], *given: object) -> None:
        self.busy[name] = self.people.submit(work, *given)

    def _do(self, machine: Machine, *words: str) -> "subprocess.CompletedProcess[str] | None":
        """A command; None where it did not end, or where the power went."""
        if not machine.up:
            return None
        try:
            return machine.run(*words)
        except subprocess.TimeoutExpired:
            self.hung.append(f"{' '.join(words)} on {machine.name} at {uptime():.0f}")
            return None

    def _hand_in(self, one: Asked, machine: Machine) -> None:
        """Once more where something was in the way, on the machine that has it."""
        having = next((each for each in self.scene.machines if each.journal(one.name)), None)
        machine = having or machine
        if not having:
            task = f"Do what the phases ask, for {one.name}"
            done = self._do(machine, "run", task, "--session", one.name, "--fleet")
        else:
            done = self._do(machine, "run", "--session", one.name, "--fleet")
        if done is not None and done.returncode == 0:
            path = machine.journal(one.name)
            assert path is not None
            one.name = path.parent.name.rpartition("-")[0]  # with the day before it
            one.taken = True

    def _act(self, name: str, gate: Gate, machines: list[Machine]) -> None:
        """What each of them says at the gate, all at once."""
        with ThreadPoolExecutor(len(machines)) as pool:
            list(pool.map(lambda machine: self._say_at(name, gate, machine), machines))

    def _say_at(self, name: str, gate: Gate, machine: Machine) -> None:
        words = self._new_words()
        if gate.kind is GateKind.PLAN_APPROVAL:
            command = ("approve", name, "-m", words)
            if self.chance.random() < 0.2:
                command = ("changes", name, "-m", words)
        else:
            command = ("answer", name, *(f"{id}={words} {id}" for id in gate.questions))
        done = self._do(machine, *command)
        if done is not None and done.returncode == 0:
            now = machine.state(name)
            after = now.gate.id if now and now.gate else ""
            self._note(Said(name, machine.name, words, gate.id, after))

    def _guide(self, name: str, machine: Machine) -> None:
        words = self._new_words()
        done = self._do(machine, "tell", name, words)
        if done is not None and done.returncode == 0:
            self._note(Said(name, machine.name, words))

    def _new_words(self) -> str:
        self.words += 1
        return f"words {self.words:04d}"

    def _note(self, said: Said) -> None:
        self.said.append(said)

    # --- the end ------------------------------------------------------------------------------------------------------

    def _until_copies_agree(self) -> None:
        with suppress(AssertionError):
            until_there(lambda: all(self._agree(one.name) for one in self.sessions), 60.0)

    def _agree(self, name: str) -> bool:
        """The machine that did the last iteration is done before the others know: until then it has to hand it over."""
        states = [one.state(name) for one in self.scene.machines]
        is_done = all(state is not None and state.condition is Condition.DONE for state in states)
        return is_done and not self._differing(name)

    def _differing(self, name: str) -> list[str]:
        newest = self.scene.git("rev-parse", f"refs/samoloop/fleet/{name}")
        marks = {one.name: one.journal(name) for one in self.scene.machines}
        return [host for host, path in marks.items() if path is None or newest not in mark_beside(path)]

    def _end_work(self) -> list[str]:
        """What is still there after all machines were told to end."""
        for machine in self.scene.machines:
            machine.end()
        with suppress(AssertionError):
            until_there(lambda: not any(one.host.pids() for one in self.scene.machines), END_SECONDS)
        return [
            f"{one.name}: {Path(f'/proc/{pid}/cmdline').read_bytes().replace(bytes(1), b' ').decode()[:200]}"
            for one in self.scene.machines
            for pid in one.host.pids()
            if Path(f"/proc/{pid}").exists()
        ]

    def _seen(self, left: list[str]) -> Seen:
        children = [
            Child(what, session, int(iteration), host, token, float(at))
            for what, session, iteration, host, token, _, at in self.scene.ledger()
        ]
        by_name = {one.name: one for one in self.scene.machines}
        said = [Said(**{**vars(one), "told": told(by_name[one.host], one.words)}) for one in self.said]
        outages: list[Outage] = self.harms.outages
        sessions = [self._ended(one.name) for one in self.sessions]
        return Seen(children, outages, said, sessions, left, self._fsck(), self.hung)

    def _ended(self, name: str) -> Ended:
        differing = self._differing(name)
        best = next((one for one in self.scene.machines if one.name not in differing), None)
        records = best.records(name) if best else []
        state = best.state(name) if best else None
        if best is None or state is None:
            return Ended(name, "", differing=differing)
        parcel, branch = f"refs/samoloop/fleet/{name}", f"refs/heads/{state.created.branch}"
        attempts, tokens, guidance, closed = Counter[int](), {}, [], []
        for record in records:
            if isinstance(record, Interrupted):
                attempts[record.iteration] += 1  # what it left may have a commit of its own
            elif isinstance(record, ChildEnded):
                attempts[record.iteration] += 1
                tokens[record.iteration] = str((record.signalled or {}).get("token"))
            elif isinstance(record, GateClosed):
                closed.append((record.gate, f"{record.comment} {[dict(one) for one in record.answers.values()]}"))
            elif isinstance(record, Guided):
                guidance += [words for file in record.inbox for words in words_in(best, name, file)]
        work = self._work(f"{state.created.base}..{branch}")
        return Ended(
            name,
            str(state.condition),
            closed,
            guidance,
            attempts,
            tokens,
            marks_of(self.scene, parcel, "session", r"mark-(\d+)\.md"),
            {iteration: tokens[0] for iteration, tokens in work.items()},
            {iteration: len(tokens) for iteration, tokens in work.items()},
            len(self.scene.git("rev-list", "--min-parents=2", f"{state.created.base}..{branch}").split()),
            differing,
        )

    def _work(self, commits: str) -> dict[int, list[str]]:
        """Iteration -> the tokens that commits of a branch gave its file, the newest first. A phase that may not change
        code has its file taken out again, or put back to what an attempt committed that was interrupted."""
        found: dict[int, list[str]] = {}
        commit = ""
        for line in self.scene.git(
            "log", *_NOT_PUT_BACK, "--format=%H", "--name-only", "--diff-filter=AM", commits, "--", "done/"
        ).split():
            if line.startswith("done/"):
                tokens = found.setdefault(int(line.removeprefix("done/")), [])
                tokens.append(self.scene.git("cat-file", "blob", f"{commit}:{line}"))
            else:
                commit = line
        return found

    def _fsck(self) -> list[str]:
        found = []
        for where in (self.scene.remote.path, *(one.root for one in self.scene.machines)):
            done = subprocess.run(
                ["git", "fsck", "--full", "--no-dangling", "--no-progress"],
                cwd=where, capture_output=True, text=True, check=False,
            )  # fmt: skip
            said = [line for line in (done.stdout + done.stderr).splitlines() if line]
            found += [f"{where.parent.name}: {line}" for line in said[:5]] if done.returncode or said else []
        return found

    @property
    def moves(self) -> int:
        """How often a session came to another machine."""
        best = self.scene.machines[0]
        return sum(isinstance(record, Placed) for one in self.sessions for record in best.records(one.name))


def is_open(gate: Gate, state: State | None) -> bool:
    return state is not None and state.gate is not None and state.gate.id == gate.id


def words_in(machine: Machine, name: str, file: str) -> list[str]:
    path = machine.journal(name)
    assert path is not None
    with suppress(OSError):
        return re.findall(r"\bwords \d+\b", (path.parent / "_logs" / file).read_text())
    return []


def mark_beside(journal: Path) -> str:
    with suppress(OSError):
        return (journal.parent / "_fleet").read_text()
    return ""


def until_there(condition: Callable[[], object], seconds: float = 120.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.3)
