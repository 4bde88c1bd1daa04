"""What must hold after a run of the fleet with faults, said of what was seen from outside. Pure: it does nothing.

A child's action counts once: where a child came to its end on a machine to which nothing happened that costs a turn, no
other child does the same iteration. A person's words are in the journal once, or the person was told why not.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(frozen=True)
class Child:
    """A line of the ledger: a child that began, or one that wrote its signal."""

    what: str  # begun, signalled
    session: str
    iteration: int
    host: str
    token: str
    at: float  # seconds of uptime, which no fault changes


@dataclass(frozen=True)
class Outage:
    """From when to when something was so on a host that its turns may be another's."""

    host: str
    begins: float
    ends: float


@dataclass(frozen=True)
class Said:
    """What a person's command said yes to."""

    session: str
    host: str
    words: str
    gate: str = ""  # that was open before; empty: guidance
    gate_after: str = ""  # while a command starts its copy may be renewed, and it speaks at the gate that is open then
    told: bool = False  # on that machine it was said that these words were not taken


@dataclass(frozen=True)
class Ended:
    """A session as its newest parcel and its copies have it."""

    name: str
    condition: str
    closed: Sequence[tuple[str, str]] = ()  # each gate's end in the journal: its id, all words in it
    guidance: Sequence[str] = ()  # given to children, in their order
    attempts: Mapping[int, int] = field(default_factory=dict)  # iteration -> ends of children in the journal
    tokens: Mapping[int, str] = field(default_factory=dict)  # iteration -> of the last signal in the journal
    marks: Mapping[int, str] = field(default_factory=dict)  # iteration -> token in the session's files
    work: Mapping[int, str] = field(default_factory=dict)  # iteration -> token in the branch
    changes: Mapping[int, int] = field(default_factory=dict)  # iteration -> commits of the branch that change its file
    merges: int = 0  # commits of branch and checkpoints with another number of parents than one
    differing: Sequence[str] = ()  # machines whose copy is not the newest parcel's


@dataclass(frozen=True)
class Seen:
    """All that was seen of a run."""

    children: Sequence[Child] = ()
    outages: Sequence[Outage] = ()
    said: Sequence[Said] = ()
    sessions: Sequence[Ended] = ()
    left: Sequence[str] = ()  # processes on any host after the end
    fsck: Sequence[str] = ()  # what git says of any repository
    hung: Sequence[str] = ()  # commands that did not come to their end


def violations(seen: Seen) -> list[str]:
    """Everything that was lost, doubled, half taken, or left."""
    found = [*ends(seen), *once(seen), *history(seen), *words(seen)]
    found += [f"left: {one}" for one in seen.left]
    found += [f"fsck: {one}" for one in seen.fsck]
    found += [f"hung: {one}" for one in seen.hung]
    return found


def ends(seen: Seen) -> Iterator[str]:
    for one in seen.sessions:
        if one.condition != "done":
            yield f"stuck: {one.name} is {one.condition or 'nowhere'}"
        yield from (f"stale: the copy of {one.name} on {host} is not the newest" for host in one.differing)


def once(seen: Seen) -> Iterator[str]:
    began = {child.token: child.at for child in seen.children if child.what == "begun"}
    whole: dict[tuple[str, int], list[Child]] = {}
    for child in seen.children:
        if child.what == "signalled":
            whole.setdefault((child.session, child.iteration), []).append(child)
    for (session, iteration), children in whole.items():
        ordered = sorted(children, key=lambda child: began[child.token])
        for first, second in pairwise(ordered):
            begun, again = began[first.token], began[second.token]
            if not any(out.host == first.host and out.begins <= again and out.ends >= begun for out in seen.outages):
                yield (
                    f"twice: iteration {iteration} of {session} was done on {first.host} and on {second.host} "
                    f"{again - begun:.1f} s later, and nothing happened to {first.host}"
                )


def history(seen: Seen) -> Iterator[str]:
    signalled = {child.token for child in seen.children if child.what == "signalled"}
    for one in seen.sessions:
        if one.merges:
            yield f"not linear: {one.name} has {one.merges} commits with another number of parents than one"
        last = max(one.attempts, default=0)
        for iteration in range(1, last + 1):
            where = f"iteration {iteration} of {one.name}"
            commits, most = one.changes.get(iteration, 0), one.attempts.get(iteration, 0)
            if not most:
                yield f"missing: {where} has no end in the journal"
            elif not commits:
                yield f"missing: {where} has no commit"
            elif commits > most:
                yield f"doubled: {where} has {commits} commits, of {most} children"
            tokens = {one.tokens.get(iteration), one.marks.get(iteration), one.work.get(iteration)}
            if len(tokens) > 1:
                yield f"half taken: {where} is of several children in journal, files and branch"
            elif not tokens <= signalled:
                yield f"half taken: {where} is of a child that wrote no signal"


def words(seen: Seen) -> Iterator[str]:
    for one in seen.sessions:
        yield from (
            f"doubled: {gate} of {one.name} was closed {n} times"
            for gate, n in Counter(gate for gate, _ in one.closed).items()
            if n > 1
        )
        given = Counter(one.guidance)
        for said in (said for said in seen.said if said.session == one.name):
            used = sum(said.words in text for _, text in one.closed) if said.gate else given[said.words]
            what = f"{said.words!r}, said on {said.host} to {one.name}{f' at {said.gate}' if said.gate else ''}"
            if used > 1:
                yield f"doubled: {what}, was used {used} times"
            elif not used and not said.told:
                yield f"lost: {what}, was not taken, and nobody was told"
            elif (
                used
                and said.gate
                and not any(said.words in text for gate, text in one.closed if gate in (said.gate, said.gate_after))
            ):
                yield f"wrong: {what}, closed another gate"
