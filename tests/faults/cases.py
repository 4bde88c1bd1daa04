"""The faults: each case is one session that meets many of one kind, and must go on after each."""

import random
import signal
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import driver
from invariants import How, Reference, violations
from scene import Run, Scene, Violation, git

from samoloop.base.errors import SessionError
from samoloop.core.records import Started
from samoloop.core.signals import GateKind
from samoloop.core.state import Condition

# Where a worker is killed so that the next one finds a living child, or none at all.
PRELUDES = ("after spawn", "after record started")
REWIND = ("rewind", "--", "5")  # to the first iteration that changed code
OPENING = (
    "after record gate_opened",
    *(f"{moment} write {file}" for moment in ("before", "after") for file in ("_qa.md", "_approval.md")),
)
SHARES = 24  # sessions over which the effects on the disk are spread
KILLS = 8  # at random instants, in one session
# In one iteration: a check has a wrapper too, and is run three times. Killed each time it is unverified, and its phase
# goes on once more, as it should.
WRAPPER_KILLS = 2
HUMAN_CODES = (3, 4, 5, 6)  # a person's resume goes on from these


@dataclass
class Result:
    """What a case has found."""

    case: str
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)  # row, column: faults
    problems: list[str] = field(default_factory=list)
    folder: str = ""
    seconds: float = 0.0


@dataclass
class Play:
    """A case at work."""

    scene: Scene
    wanted: Reference
    chance: random.Random
    result: Result
    killed: Counter[int] = field(default_factory=Counter)  # children, by iteration
    strict: bool = True
    repaired: bool = False  # a torn signal has led to another iteration
    announced: bool = True
    torn: str = ""  # which file was cut off

    def count(self, row: str, column: str) -> None:
        self.result.cells[row, column] += 1

    def check(self) -> None:
        how = How(self.killed, self.strict and not self.killed, self.announced, self.torn)
        self.result.problems += violations(self.scene, self.wanted, how)

    def note_killed_child(self) -> None:
        """Remember whose child was killed: of the last `started` record."""
        started = [record.iteration for record in self.scene.events() if isinstance(record, Started)]
        if started:  # the ledger of a child that was just begun may not name it yet
            self.killed[started[-1]] += 1

    def finish(self) -> None:
        self.scene.finish(allowed=HUMAN_CODES if self.killed else (), tries=4)


def at_points(play: Play, point: str) -> None:
    """Killed at the point, in each phase and at each gate in turn; `first > point` comes to it after another kill."""
    met = play.scene.folder / driver.MET
    share = ",".join(point.split(" > "))
    for _ in range(60):
        before = len(met.read_text().splitlines()) if met.exists() else 0
        code = play.scene.wait(play.scene.start("point", share))
        lines = met.read_text().splitlines() if met.exists() else []
        if code != -signal.SIGKILL:
            if not ended_well(play, code):
                raise Violation(f"the run ended with {code}; see run-{play.scene.runs:03d}.txt")
            return
        for line in lines[before:]:
            play.count(line.split("|")[0], line.split("|")[1])
    raise Violation("killed 60 times without coming to an end")


def at_opening(play: Play, point: str) -> None:
    """Killed while a gate opens whose answer the child has forged; a person acts by command before anything else."""
    scene = play.scene
    for _ in range(8):
        code = scene.wait(scene.start("point", point))
        if code != -signal.SIGKILL:
            if not ended_well(play, code):
                raise Violation(f"the run ended with {code}; see run-{scene.runs:03d}.txt")
            return
        gate = scene.session.state().gate
        if gate is None or gate.id in scene.person.acted:
            continue
        play.count(f"forged: {point}", scene.column())
        scene.person.acted[gate.id] = "approve" if gate.kind is GateKind.PLAN_APPROVAL else "answered"
        if gate.kind is GateKind.PLAN_APPROVAL:
            command(scene, "approve", "--", "-m", f"fine {gate.id}")
        for id in gate.questions:
            command(scene, "answer", "--", f"{id}=as you suggest in {gate.id}")  # refused where it has an answer
    raise Violation("killed 8 times without coming to an end")


def command(scene: Scene, *words: str) -> None:
    run = scene.start("none", "", *words)
    if (code := scene.wait(run)) != 0:
        raise Violation(f"{words} ended with {code}; see {run.output}")


def at_power_cut(play: Play, point: str) -> None:
    """The power fails at the point, in each phase and at each gate in turn: what was not synced is gone."""
    met = play.scene.folder / driver.MET
    for _ in range(60):
        code = play.scene.wait(play.scene.start("cut", point))
        if code != -signal.SIGKILL:
            if not ended_well(play, code):
                raise Violation(f"the run ended with {code}; see run-{play.scene.runs:03d}.txt")
            return
        play.scene.kill_child("all")  # nothing outlives it
        play.count("power cut", met.read_text().splitlines()[-1].split("|")[1])
        if play.scene.is_open():
            play.note_killed_child()
    raise Violation("60 power cuts without coming to an end")


def ended_well(play: Play, code: int | None) -> bool:
    """Done, or nothing was left to do: the run before was killed at its very end."""
    return code == 0 or (code == 2 and play.scene.is_over())


def at_effects(play: Play, mode: str, share: str) -> None:
    """Killed before or after, or refused, each effect on the disk of this share."""
    met = play.scene.folder / driver.MET
    play.announced = mode in ("before", "after")  # what cannot be written cannot be announced
    for _ in range(120):
        before = len(met.read_text().splitlines()) if met.exists() else 0
        run = play.scene.start(mode, share)
        code = play.scene.wait(run)
        lines = met.read_text().splitlines()[before:] if met.exists() else []
        for line in lines:
            name, column, _ = line.rsplit("|", 2)
            play.count(f"{mode}: {kind_of(name)}", column)
        if ended_well(play, code) and not lines:
            return
        if code in (0, -signal.SIGKILL):
            continue
        said = run.output.read_text().strip().splitlines()
        if mode not in ("enospc", "eio") or not lines:
            raise Violation(f"the run ended with {code}; see {run.output}")
        if code not in (2, 4, 5) or not said or len(said[-1]) < 20:
            raise Violation(f"after {lines[-1]} the run ended with {code}, saying {said[-1:]}")
    raise Violation("120 runs without coming to an end")


def kind_of(effect: str) -> str:
    """A row of the matrix for an effect's name such as `rename _overview.md#2`."""
    operation, _, what = effect.partition("#")[0].partition(" ")
    kinds = {"_history.jsonl": "journal", "object": "git objects", "_wake": "_wake"}
    if operation == "git":
        return "git command"
    if operation == "spawn":
        return "spawn"
    return f"{operation} {kinds.get(what, 'other files')}"


KILLERS: dict[str, Callable[[Scene, Run], bool]] = {
    "worker": lambda scene, run: scene.kill(run),
    "worker and its git": lambda scene, run: scene.kill_group(run),
    "worker and child": lambda scene, run: bool(scene.kill_group(run) | scene.kill_child("all")),
    "child alone": lambda scene, run: scene.kill_child("all"),
    "CLI alone": lambda scene, run: scene.kill_child("cli"),
    "wrapper alone": lambda scene, run: scene.kill_child("wrapper"),
}
OF_CHILDREN = ("worker and child", "child alone", "CLI alone")


def at_random(play: Play, kind: str) -> None:
    """Killed at random instants, several times in one session."""
    kills, run = 0, play.scene.start()
    met: Counter[int] = Counter()  # kills, by the iteration that they met
    for _ in range(KILLS * 6):
        instant = time.monotonic() + play.chance.uniform(0.0, play.wanted.seconds * 0.25)
        code = play.scene.wait(run, until=lambda run, instant=instant: time.monotonic() >= instant)
        if ended_well(play, code):
            return
        if code is None and kills < KILLS:
            column, number = play.scene.column(), sum(isinstance(one, Started) for one in play.scene.events())
            if kind == "wrapper alone" and met[number] == WRAPPER_KILLS:
                continue
            if KILLERS[kind](play.scene, run):
                kills += 1
                met[number] += 1
                play.count(f"random: {kind}", column)
                if kind in OF_CHILDREN:
                    play.note_killed_child()
        elif code not in (None, -signal.SIGKILL, *HUMAN_CODES):
            raise Violation(f"the run ended with {code}; see {run.output}")
        if run.status is not None:
            run = play.scene.start()
    code = play.scene.wait(run)
    if not ended_well(play, code):
        play.finish()


def while_alive(play: Play, kind: str, word: str) -> None:
    """Killed at the moment a child begins, or has done its action and has not signalled."""
    seen = 0

    def met(run: Run) -> bool:
        return iterations_with(play.scene, word) > seen

    for _ in range(60):
        run = play.scene.start()
        code = play.scene.wait(run, until=met)
        if ended_well(play, code):
            return
        if code is not None:
            if play.killed and code in HUMAN_CODES:
                continue
            raise Violation(f"the run ended with {code}; see {run.output}")
        seen = iterations_with(play.scene, word)
        column = play.scene.column()
        hit = KILLERS[kind](play.scene, run)
        if kind in OF_CHILDREN:
            play.note_killed_child()
        if hit:
            play.count(f"child {word}: {kind}", column)
        if run.status is None:
            code = play.scene.wait(run, until=met)
            if code is None:
                play.scene.kill(run)
                seen = iterations_with(play.scene, word)
    raise Violation("killed 60 times without coming to an end")


def iterations_with(scene: Scene, word: str) -> int:
    """In how many iterations the children have noted this word."""
    return len({iteration for iteration, _ in scene.lines(word)})


def rebooted(play: Play, word: str) -> None:
    """Every process of ours is killed, and the machine has another boot id afterwards."""
    seen = 0
    mode = "none"

    def met(run: Run) -> bool:
        return iterations_with(play.scene, word) > seen

    for _ in range(40):
        run = play.scene.start(mode)
        code = play.scene.wait(run, until=met)
        if ended_well(play, code):
            return
        if code is not None:
            raise Violation(f"the run ended with {code}; see {run.output}")
        seen = iterations_with(play.scene, word)
        column = play.scene.column()
        play.scene.kill_group(run)
        play.scene.kill_child("all")
        play.note_killed_child()
        play.count("reboot", column)
        mode = "reboot" if mode == "none" else "none"
    raise Violation("killed 40 times without coming to an end")


def points(scene: Scene, kind: str = "point/") -> list[str]:
    """Every point that the scene's runs came to, as cases in the order of happening."""
    return [kind + point for point in dict.fromkeys((scene.folder / driver.POINTS).read_text().splitlines())]


def at_rewind(play: Play, point: str) -> None:
    """Gone back from the end, and killed there: the command once more does all that it would have done."""
    scene = play.scene
    scene.finish()
    code = scene.wait(scene.start("point", point, *REWIND))
    if code == -signal.SIGKILL:
        play.count(f"rewind: {point}", scene.column())
        code = scene.wait(scene.start("none", "", *REWIND))
    state = scene.session.state()
    if (code, state.phase, state.condition) != (0, "implementation", Condition.READY):
        raise Violation(f"rewind ended with {code}, the session is {state.condition} in {state.phase}")
    if scene.branch() != play.wanted.branch[:2]:
        raise Violation(f"the branch holds {scene.branch()}")
    left = [event.left for event in scene.events() if event.event == "rewound"]
    kept = git(scene.repo, "log", "--format=%H", f"refs/samoloop/sessions/{scene.session.name}").split()
    if not set(left) <= set(kept):
        raise Violation(f"what was left, {left}, is not kept")
    play.strict = play.announced = False
    scene.finish()


def all_points(scene: Scene, template: Path, wanted: Reference) -> Iterator[str]:
    """Just before and after each effect of an undisturbed session, then those that only a worker comes to whose
    predecessor was killed, then those of going back: so no effect can be missed."""
    known = points(scene)
    yield from known
    for first in PRELUDES:
        other = Scene.make(template, scene.folder.with_name(first.replace(" ", "-")))
        at_points(Play(other, wanted, random.Random(0), Result(first)), first)
        yield from (name for name in points(other, f"point/{first} > ") if name.replace(f"{first} > ", "") not in known)
        known += points(other)
        other.clean_up()
    other = Scene.make(template, scene.folder.with_name("rewind"))
    at_rewind(Play(other, wanted, random.Random(0), Result("rewind")), "")
    yield from points(other, "rewind/")
    other.clean_up()


def all_cases(seed: int, points: Sequence[str]) -> Iterator[str]:
    """Every case's name, the important ones of each class first and evenly mixed."""
    classes = [
        list(points),
        [name.replace("point/", "power/") for name in points if name.startswith("point/after") and ">" not in name],
        [f"forged/{point}" for point in OPENING],
        [f"{mode}/{number}/{SHARES}" for number in range(SHARES) for mode in ("before", "after", "enospc", "eio")],
        [f"random/{kind}/{number}" for number in range(24) for kind in KILLERS],
        [f"alive/{kind}/{word}" for kind in KILLERS for word in ("begun", "done")] + ["reboot/begun", "reboot/done"],
        [f"torn/journal/{number}" for number in range(28)]
        + [f"torn/{what}/{number}" for number in range(8) for what in ("lost", "signal", "_overview.md")]
        + [f"torn/{what}/{number}" for number in range(16) for what in ("_qa.md", "_approval.md")],
    ]
    shuffled = []
    for names in classes:
        random.Random(seed).shuffle(names)
        shuffled += [((place + 0.5) / len(names), name) for place, name in enumerate(names)]
    yield from (name for _, name in sorted(shuffled))


def play(name: str, template: Path, folder: Path, wanted: Reference, seed: int) -> Result:
    """Run one case to its end."""
    import torn

    started = time.monotonic()
    result = Result(name)
    scene = Scene.make(template, folder)
    result.folder = str(folder)
    game = Play(scene, wanted, random.Random(zlib.crc32(f"{seed} {name}".encode())), result)
    kind, _, rest = name.partition("/")
    try:
        if kind == "point":
            at_points(game, rest)
        elif kind == "forged":
            at_opening(game, rest)
        elif kind == "power":
            at_power_cut(game, rest)
        elif kind == "rewind":
            at_rewind(game, rest)
        elif kind == "random":
            at_random(game, rest.split("/")[0])
        elif kind == "alive":
            while_alive(game, *rest.split("/"))
        elif kind == "reboot":
            rebooted(game, rest)
        elif kind == "torn":
            torn.resumed(game, rest.split("/")[0])
        else:
            at_effects(game, kind, rest)
        game.check()
    except (Violation, SessionError) as violation:  # a session that cannot be read is one that was lost
        result.problems.append(str(violation))
    except Exception as error:
        import traceback

        result.problems.append(f"the harness failed: {error!r}\n{traceback.format_exc()}")
    if not result.problems:
        scene.clean_up()
    else:
        for pid in scene.processes():
            import contextlib
            import os

            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    result.seconds = time.monotonic() - started
    return result
