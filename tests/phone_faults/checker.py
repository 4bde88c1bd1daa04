"""What must hold after a run of the phone with faults, said of what was seen from outside. Pure: it does nothing.

A person's later word takes the place of the earlier one while the gate is open. A gate closes once all its questions
have a word, and not before: so whatever was said up to then has to count, in the order in which it was said; what comes
later counts or is refused, as the gate is still open or not.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

LISTENS_SECONDS = 15.0
SLACK_SECONDS = 1.0  # between what happened and the note of it


@dataclass(frozen=True)
class Said:
    """A tap or reply of the person: an answer, or guidance where `question` is empty."""

    update: int  # the server's number: the order in which it was said
    session: str
    words: str
    gate: str = ""
    question: str = ""


@dataclass(frozen=True)
class Closed:
    """A gate that the journal closed."""

    session: str
    gate: str
    answers: Mapping[str, str]  # question -> words


@dataclass(frozen=True)
class Copy:
    """A message that asks, as it came into the chat."""

    what: str  # the gate and question that it asks; the same for each copy
    at: float  # seconds


@dataclass(frozen=True)
class Harm:
    """A fault that was brought about."""

    name: str
    at: float  # seconds: when it was over
    listening_after: float | None = None  # seconds until somebody listened again; None: nobody ever did


@dataclass(frozen=True)
class Seen:
    """All that was seen of a run."""

    said: Sequence[Said] = ()
    asked: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)  # (session, gate) -> its questions
    closed: Sequence[Closed] = ()
    taken: Mapping[str, Sequence[str]] = field(default_factory=dict)  # session -> guidance that its children were given
    prompts: Mapping[str, str] = field(default_factory=dict)  # session -> all that its children read
    copies: Sequence[Copy] = ()
    excuses: Sequence[float] = ()  # when a relay was killed or an answer of the server got lost
    harms: Sequence[Harm] = ()


def violations(seen: Seen) -> list[str]:
    """Everything that was lost, doubled, wrong, out of order, or deaf for too long."""
    return [*answers(seen), *guidance(seen), *copies(seen), *deafness(seen)]


def answers(seen: Seen) -> Iterator[str]:
    closed = Counter((one.session, one.gate) for one in seen.closed)
    yield from (f"doubled: {session} {gate} was closed {n} times" for (session, gate), n in closed.items() if n > 1)
    for (session, gate), questions in seen.asked.items():
        said = [one for one in seen.said if (one.session, one.gate) == (session, gate)]
        complete = _complete(said, questions)
        if complete is not None and (session, gate) not in closed:
            yield f"lost: every question of {session} {gate} has an answer, and it is not closed"
        for one in seen.closed:
            if (one.session, one.gate) == (session, gate):
                yield from _wrong(one, said, questions, complete)


def _complete(said: Sequence[Said], questions: Sequence[str]) -> int | None:
    """The update by which every question had a word; None where one has none."""
    first = [min((one.update for one in said if one.question == question), default=None) for question in questions]
    return None if None in first or not first else max(update for update in first if update is not None)


def _wrong(closed: Closed, said: Sequence[Said], questions: Sequence[str], complete: int | None) -> Iterator[str]:
    where = f"{closed.session} {closed.gate}"
    if complete is None:
        yield f"wrong: {where} was closed before every question had an answer"
        return
    for question in questions:
        mine = [one for one in said if one.question == question]
        before = max((one for one in mine if one.update <= complete), key=lambda one: one.update)
        allowed = {before.words, *(one.words for one in mine if one.update > complete)}
        words = closed.answers.get(question)
        if words is None:
            yield f"lost: {where} was closed without the answer to {question}"
        elif words not in {one.words for one in mine}:
            yield f"wrong: {question} of {where} is {words!r}, which nobody said"
        elif words not in allowed:
            yield f"out of order: {question} of {where} is {words!r}, and {before.words!r} was said after that"


def guidance(seen: Seen) -> Iterator[str]:
    for session in sorted({one.session for one in seen.said if not one.gate}):
        mine = sorted((one for one in seen.said if one.session == session and not one.gate), key=lambda one: one.update)
        expected, taken = [one.words for one in mine], list(seen.taken.get(session, ()))
        counted = Counter(taken)
        for words in expected:
            if not counted[words]:
                yield f"lost: {session} was never given {words!r}"
            elif counted[words] > 1:
                yield f"doubled: {session} was given {words!r} {counted[words]} times"
            elif words not in seen.prompts.get(session, ""):
                yield f"lost: no child of {session} read {words!r}"
        yield from (
            f"wrong: {session} was given {words!r}, which nobody said" for words in taken if words not in expected
        )
        once = list(dict.fromkeys(words for words in taken if words in expected))
        if once != [words for words in expected if words in once]:
            yield f"out of order: {session} was given {once}, said was {expected}"


def copies(seen: Seen) -> Iterator[str]:
    """A message comes twice only where in between the relay was killed, or the answer to its sending was lost, or the
    relay's lock went with the state folder: what it was sending then arrives beside what the next one sends."""
    last: dict[str, float] = {}
    for copy in sorted(seen.copies, key=lambda copy: copy.at):
        before = last.get(copy.what)
        if before is not None and not any(before - SLACK_SECONDS <= at <= copy.at for at in seen.excuses):
            yield f"doubled: {copy.what} was asked again after {copy.at - before:.1f} s for no reason"
        last[copy.what] = copy.at


def deafness(seen: Seen) -> Iterator[str]:
    for harm in seen.harms:
        if harm.listening_after is None:
            yield f"deaf: nobody listened again after {harm.name}"
        elif harm.listening_after > LISTENS_SECONDS:
            yield f"deaf: {harm.listening_after:.1f} s after {harm.name}"
