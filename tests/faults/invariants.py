"""What must hold after every fault, looked at from outside."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from scene import Scene, checkout_state, git

from samoloop.core.state import Condition, fold
from samoloop.git import checkpoint
from samoloop.git.worktree import Worktree


@dataclass(frozen=True)
class Reference:
    """What an undisturbed run leaves."""

    branch: list[str]
    decisions: list[list]  # iteration, phase, kind of what followed
    actions: list[int]  # iterations, as the children noted them
    seconds: float


def reference(scene: Scene, seconds: float) -> Reference:
    return Reference(scene.branch(), decisions(scene), [i for i, _ in scene.lines("done")], seconds)


def decisions(scene: Scene) -> list[list]:
    """What followed from each iteration in the end; attempts that were only run again left out."""
    ended = [event for event in scene.events() if event.event == "ended"]
    kinds = [[event.iteration, event.phase, event.decision.kind] for event in ended]
    return [found for found in kinds if found[2] != "retry"]


@dataclass(frozen=True)
class How:
    """What may be otherwise than in an undisturbed run."""

    killed: Counter[int]  # how often the child of an iteration was killed
    strict: bool  # each step is as in the undisturbed run
    announced: bool  # each gate and the end were announced, once
    torn: str  # which file was cut off


def violations(scene: Scene, wanted: Reference, how: How) -> Iterator[str]:
    """Everything that is not as it must be."""
    yield from _session(scene, wanted, how.strict, bool(how.killed))
    yield from _leftovers(scene, bool(how.killed))
    if checkout_state(scene.repo) != scene.checkout:
        yield f"the person's checkout was changed: {checkout_state(scene.repo)} was {scene.checkout}"
    if how.torn == "lost":  # a disk that lost what it had confirmed: the session goes on, more cannot be promised
        return
    yield from _actions(scene, wanted, how.killed, how.strict)
    yield from _guidance(scene)
    yield from _history(scene, how.strict)
    yield from _gates(scene, how)
    yield from _git(scene, wanted, how.strict)


def _session(scene: Scene, wanted: Reference, strict: bool, killed: bool) -> Iterator[str]:
    state = scene.session.state()
    if state.condition is not Condition.DONE or state.summary != "all good":
        yield f"the session is {state.condition}, not done"
    found = decisions(scene)
    if strict and found != wanted.decisions:
        yield f"the iterations went {found}, undisturbed they go {wanted.decisions}"
    bad = [event for event in found if event[2] in ("blocked", "failed")]
    if bad and not killed:
        yield f"the session was stopped by {bad}"
    report = scene.session.dir / "_report.md"
    if not report.exists() or "**Done. small green at " not in report.read_text():
        yield "the report does not say that it is done, and what was checked"


def _actions(scene: Scene, wanted: Reference, killed: Counter[int], strict: bool) -> Iterator[str]:
    done = Counter(iteration for iteration, _ in scene.lines("done"))
    for iteration in done:
        if done[iteration] > 1 + killed[iteration]:
            times = f"{done[iteration]} times, its child was killed {killed[iteration]} times"
            yield f"the action of iteration {iteration} was done {times}"
    if strict and sorted(done) != wanted.actions:
        yield f"the actions done are {sorted(done)}, undisturbed {wanted.actions}"
    begun = Counter(marker for _, marker in scene.lines("begun"))
    yield from (f"attempt {marker} was begun {times} times" for marker, times in begun.items() if times > 1)
    begun_by_iteration: dict[int, int] = {}
    for event in scene.events():
        if event.event != "started":
            continue
        earlier = begun_by_iteration.get(event.iteration, 0)
        prompt = scene.session.logs / f"{event.stem}.prompt.md"
        if event.attempt > 1 and earlier and prompt.exists():
            text = prompt.read_text()
            if text and "interrupted" not in text and "did not end properly" not in text:
                yield f"{prompt} does not say that an earlier attempt was interrupted"
        begun_by_iteration[event.iteration] = earlier + begun[event.marker]


def _is_lost(scene: Scene, stem: str) -> bool:
    """Whether the prompt of an attempt is gone or empty: it is a log and not synced."""
    prompt = scene.session.logs / f"{stem}.prompt.md"
    return not prompt.exists() or not prompt.stat().st_size


def _guidance(scene: Scene) -> Iterator[str]:
    """What a person said is told to each child until one has answered with a signal, and to none after that."""
    if not scene.person.told:
        return
    begun, told = ({marker for _, marker in scene.lines(word)} for word in ("begun", "told"))
    said = answered = False
    for event in scene.events():
        if event.event == "started" and event.marker in begun:
            found = event.marker in told
            if not found and _is_lost(scene, event.stem):
                continue  # a power cut took the prompt from under a child that had just begun to read it
            if found == answered and (found or said):
                yield f"a person's words were {'told again' if found else 'missing'} in {event.stem}"
            said |= found
        elif event.event == "ended" and event.signalled and not event.bad_signal:
            answered |= said
    if not answered:
        yield "a person's words were told to nobody"


def _history(scene: Scene, strict: bool) -> Iterator[str]:
    events = scene.events()
    fold(events)
    last, attempt, open_attempt = 0, 0, None
    for event in events:
        key = (getattr(event, "iteration", None), getattr(event, "attempt", None))
        if event.event == "started":
            if open_attempt:
                yield f"{key} was started while {open_attempt} was open"
            if key[0] == last + 1 and key[1] == 1:
                last, attempt = last + 1, 1
            elif key == (last, attempt + 1):
                attempt += 1
            elif strict:
                yield f"{key} was started after {(last, attempt)}"
            open_attempt = key
        elif event.event in ("ended", "interrupted"):
            if open_attempt != key:
                yield f"{event.event} of {key} while {open_attempt} was open"
            open_attempt = None
    ended = Counter((e.iteration, e.attempt) for e in events if e.event == "ended")
    yield from (f"{times} ended records of {key}" for key, times in ended.items() if times > 1)
    if open_attempt:
        yield f"{open_attempt} has no end"


def _gates(scene: Scene, how: How) -> Iterator[str]:
    events = scene.events()
    opened = [event.gate.id for event in events if event.event == "gate_opened"]
    closed = Counter(event.gate for event in events if event.event == "gate_closed")
    if len(set(opened)) != len(opened) or closed != Counter(opened):
        yield f"gates opened {opened}, closed {dict(closed)}"
    for event in events:
        if event.event == "gate_closed":
            id = event.gate
            # a cut may take the signature of the last answer, and a worker may look before she saves again
            signed = ("Ann", "Ann, editor") if how.torn == "_qa.md" else ("Ann",)
            if scene.person.acted.get(id) != event.verdict or event.by.partition(" (")[0] not in signed:
                yield f"gate {id} was closed as {event.verdict} by {event.by}; Ann: {scene.person.acted.get(id)}"
            said = [answer["answer"] for answer in event.answers.values()] or [event.comment]
            if how.torn not in ("_qa.md", "_approval.md") and any(id not in words for words in said):
                yield f"gate {id} was closed by {said}, which is not what was said there"
    if how.announced:
        yield from _announcements(scene, opened)


def _announcements(scene: Scene, opened: list[str]) -> Iterator[str]:
    import json

    try:
        items = [json.loads(path.read_text()) for path in sorted((scene.session.control / "_outbox").glob("*.json"))]
    except ValueError as error:
        yield f"an announcement cannot be read: {error}"
        return
    told = Counter(item["gate"] for item in items if item.get("gate"))
    if told != Counter(opened):
        yield f"gates opened {opened}, announced {dict(told)}"
    done = [item for item in items if item["kind"] == "done"]
    if len(done) != 1:
        yield f"the end was announced {len(done)} times"


def _git(scene: Scene, wanted: Reference, strict: bool) -> Iterator[str]:
    found = scene.branch()
    if strict and found != wanted.branch:
        yield f"the branch holds {found}, undisturbed {wanted.branch}"
    if not strict and found[-1:] and found[-1].split()[0] != wanted.branch[-1].split()[0]:
        yield f"the branch ends with {found[-1]}, undisturbed {wanted.branch[-1]}"
    commits = sum(line.endswith(" Add a.txt") for line in found)
    if commits > 1 or (strict and not commits):  # a child killed before its commit leaves that to the worker
        yield f"the child's own commit is there {commits} times: {found}"
    state = scene.session.state()
    worktree = Worktree.open(scene.repo / ".git", scene.session.worktree, state.created.branch)
    if not worktree.state().clean:
        yield f"the worktree is not clean: {worktree.state()}"
    made = Counter(
        (found.iteration, found.attempt)
        for found in checkpoint.timeline(worktree.store, checkpoint.ref_name(scene.session.name))
        if found.iteration is not None
    )
    ended = [(event.iteration, event.attempt) for event in scene.events() if event.event == "ended"]
    # A power cut just after a checkpoint takes the exit code, so that attempt was interrupted and runs again.
    cut_off = {(event.iteration, event.attempt) for event in scene.events() if event.event == "interrupted"}
    if Counter({key: count for key, count in made.items() if key not in cut_off}) != Counter([(0, None), *ended]):
        yield f"checkpoints {dict(made)} of the ended iterations {ended}"
    if said := git(scene.repo, "fsck", "--full", "--no-dangling", "--connectivity-only"):
        yield f"git fsck says {said}"


def _leftovers(scene: Scene, killed: bool) -> Iterator[str]:
    if alive := scene.processes():
        yield f"processes are left: {alive}"
    for path in scene.repo.rglob("*"):
        name = path.name
        if (
            (name.startswith(".") and name.endswith(".tmp"))
            or name.startswith("samoloop.index")
            or (name.endswith(".lock") and ".git" in path.parts)
            or (name.startswith(".") and name.endswith("-base"))
        ):
            yield f"left behind: {path}"
    others = {path.name for path in (scene.repo / "_sessions").iterdir()} - {
        scene.session.name,
        ".new.lock",
        ".gitignore",
    }
    if others:
        yield f"no session, or one too many: {sorted(others)}"
