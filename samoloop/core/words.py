"""All that people read about a kind of gate, a condition, a decision, a verdict and a piece of news, in one place.

One row for each member of each vocabulary; a test holds that none is missing. A row holds words with names in braces,
which the functions at the end fill in.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from samoloop.base.values import frozen
from samoloop.core import gates
from samoloop.core.decision import Condition, Kind
from samoloop.core.gates import Closing, Gate, Verdict
from samoloop.core.signals import GateKind, Needs

SESSION_REPAIR = "samoloop repair"  # the one way out, where a session is not what workers wrote


class Tone(StrEnum):
    """How a line feels; each outlet has its own colours for it."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    WORK = "tool"
    PLAIN = "plain"


class News(StrEnum):
    """What a person hears of."""

    STARTED = "started"
    QUESTIONS = "questions"
    PLAN = "plan"
    ACTION = "action"  # something to be done by hand, or a file to be changed
    BLOCKED = "blocked"
    LIMITED = "limited"
    OUTSIDE = "outside"  # something of the person's was changed while a child was at work
    STAND_IN = "stand_in"  # another CLI goes on for one that cannot, or that one works again
    RESUMED = "resumed"
    BUDGET = "budget"
    DONE = "done"
    FINISHED = "finished"  # pushed, a pull request, or why not
    STOPPED = "stopped"
    FAILED = "failed"
    LATE = "late"  # somebody else was first, on another machine


@frozen
class Step:
    """One thing to do."""

    command: str  # to paste into a shell, or words where an editor is meant
    what: str


@frozen
class GateWords:
    """Of a kind of gate. Names: session, questions, given (Q1=... for each), file, reason, why, gate_file."""

    news: News
    waits: str  # without what: "waits for answers"
    waits_for: str  # after "waits for"
    asked: str  # the whole, a sentence's half
    name: str  # in the report
    closes: str  # which act of a person it needs, after "nothing waits for"
    steps: tuple[Step, ...]  # the likely one first


@frozen
class ConditionWords:
    tone: Tone
    mark: str  # before a heading on the phone
    headline: str = "**{condition}** in {phase}{why}{needs}"  # in the report


@frozen
class DecisionWords:
    """Of a decision. Names: kind, phase, where (the phase, or it again), when, waits, why (": " and the reason)."""

    tone: Tone
    follows: str = "{kind}{why}"
    news: News | None = None  # that it is


@frozen
class VerdictWords:
    said: str  # names: questions, file, reason, by
    mark: str  # on the phone


@frozen
class NewsWords:
    mark: str
    title: str  # names: where (" in testing"), took (" in 5m"), what (the first words of its text)
    asks: bool = False  # a reply is guidance, and the session goes on


GATES: Mapping[GateKind, GateWords] = {
    GateKind.QA_ANSWERS: GateWords(
        news=News.QUESTIONS,
        waits="waits for answers",
        waits_for="answers to {questions}",
        asked="waits for answers to {questions} in {gate_file}",
        name="questions",
        closes="answers",
        steps=(
            Step("samoloop questions {session}", "read the questions"),
            Step("samoloop answer {session} {given}", "answer, or edit {gate_file}"),
            Step("samoloop answer {session} --suggested", "take the suggestions"),
        ),
    ),
    GateKind.PLAN_APPROVAL: GateWords(
        news=News.PLAN,
        waits="waits for approval of the plan",
        waits_for="approval of {file}",
        asked="waits for approval of the plan {file}",
        name="plan {file}",
        closes="a decision on a plan",
        steps=(
            Step("samoloop approve {session}", "approve {file}"),
            Step('samoloop changes {session} -m "..."', "ask for changes"),
            Step("samoloop reject {session}", "reject it and stop"),
        ),
    ),
    GateKind.FILE_UPDATE: GateWords(
        news=News.ACTION,
        waits="waits for a file",
        waits_for="a change of {file}",
        asked="waits for a change of {file}{why}",
        name="file {file}",
        closes="a file",
        steps=(Step("edit {path}", "change the file"),),
    ),
    GateKind.HUMAN_ACTION: GateWords(
        news=News.ACTION,
        waits="waits for you",
        waits_for="you: {reason}",
        asked="waits for a person to do this: {reason}",
        name="action",
        closes="something to be done",
        steps=(
            Step("samoloop answer {session} done", "say that it is done"),
            Step('samoloop answer {session} declined "..."', "decline it, and say why"),
        ),
    ),
}

CONDITIONS: Mapping[Condition, ConditionWords] = {
    Condition.NEW: ConditionWords(Tone.PLAIN, "⏹"),
    Condition.READY: ConditionWords(Tone.GOOD, "⏹"),
    Condition.RUNNING: ConditionWords(Tone.GOOD, "⚙️"),
    Condition.WAITING: ConditionWords(Tone.WARN, "✋"),
    Condition.LIMITED: ConditionWords(Tone.WARN, "⏳"),
    Condition.BLOCKED: ConditionWords(Tone.BAD, "⛔"),
    Condition.FAILED: ConditionWords(Tone.BAD, "💥"),
    Condition.STOPPED: ConditionWords(Tone.WARN, "⏹"),
    Condition.DONE: ConditionWords(Tone.GOOD, "🏁"),  # what is said of it stands in `headline`
}

DECISIONS: Mapping[Kind, DecisionWords] = {
    Kind.CONTINUE: DecisionWords(Tone.WORK, "{where}{why}"),
    Kind.REPAIR: DecisionWords(Tone.WARN, "{phase} again, told{why}"),
    Kind.RETRY: DecisionWords(Tone.WARN, "{when}{why}"),
    Kind.LIMITED: DecisionWords(Tone.WARN, "{when}{why}", News.LIMITED),
    Kind.WAIT: DecisionWords(Tone.WARN, "{waits}{why}"),
    Kind.BLOCKED: DecisionWords(Tone.BAD, news=News.BLOCKED),
    Kind.FAILED: DecisionWords(Tone.BAD, news=News.FAILED),
    Kind.STOPPED: DecisionWords(Tone.WARN, news=News.STOPPED),
    Kind.DONE: DecisionWords(Tone.GOOD, news=News.DONE),
}

VERDICTS: Mapping[Verdict, VerdictWords] = {
    Verdict.ANSWERED: VerdictWords("{questions} answered by {by}", "✅ Answered"),
    Verdict.APPROVE: VerdictWords("plan {file} approved by {by}", "✅ Approved"),
    Verdict.CHANGES: VerdictWords("changes to {file} asked for by {by}", "✏️ Changes requested"),
    Verdict.REJECT: VerdictWords("plan {file} rejected by {by}", "🛑 Rejected"),
    Verdict.DONE: VerdictWords("done by {by}: {reason}", "✅ Done"),
    Verdict.DECLINED: VerdictWords("declined by {by}: {reason}", "🚫 Declined"),
    Verdict.UPDATED: VerdictWords("{file} updated by {by}; it stays out of commits and checkpoints", "✅ Updated"),
}

NEWS: Mapping[News, NewsWords] = {
    News.STARTED: NewsWords("🚀", "started"),
    News.QUESTIONS: NewsWords("❓", "questions"),
    News.PLAN: NewsWords("📋", "the plan is ready"),
    News.ACTION: NewsWords("🙋", "please do this"),
    News.BLOCKED: NewsWords("⛔", "blocked{where}", asks=True),
    News.LIMITED: NewsWords("⏳", "usage limit reached"),
    News.OUTSIDE: NewsWords("👀", "something outside of its worktree was changed"),
    News.STAND_IN: NewsWords("🔁", "{what}"),
    News.LATE: NewsWords("🕐", "somebody else was first"),
    News.RESUMED: NewsWords("▶️", "goes on"),
    News.BUDGET: NewsWords("💰", "most of its budget is spent"),
    News.DONE: NewsWords("🏁", "done{took}"),
    News.FINISHED: NewsWords("📤", "its branch"),
    News.STOPPED: NewsWords("⏹", "stopped"),
    News.FAILED: NewsWords("💥", "failed", asks=True),
}

NEEDS: Mapping[Needs, str] = {
    Needs.HUMAN_DECISION: "a decision of yours",
    Needs.CLARIFICATION: "a clarification",
    Needs.ERROR_RESOLUTION: "help with an error",
}


def waits_for(gate: Gate) -> str:
    """What a gate waits for, in a few words."""
    return _filled(GATES[gate.kind].waits_for, gate)


def asked(gate: Gate) -> str:
    """What a gate asks of a person, in a sentence's half."""
    return _filled(GATES[gate.kind].asked, gate)


def needs(need: str) -> str:
    """What a blocked session needs, after "it needs"; a login or a bill is named as it is."""
    return NEEDS[Needs(need)] if need in set(Needs) else need or "you"


def gate_name(kind: GateKind, file: str | None) -> str:
    """What a gate was about, for the report."""
    return GATES[kind].name.format(file=file)


def steps(session: str, gate: Gate, path: str = "") -> list[Step]:
    """The commands that close a gate; `path` is the file in which a person answers."""
    found = GATES[gate.kind].steps
    more = {"session": session, "path": path or gate.file}
    return [Step(_filled(step.command, gate, **more), _filled(step.what, gate, **more)) for step in found]


def closed(gate: Gate, closing: Closing) -> str:
    """How a gate was closed."""
    return _filled(VERDICTS[closing.verdict].said, gate, by=closing.by)


def _filled(words: str, gate: Gate, **more: Any) -> str:
    return words.format(
        questions=", ".join(gate.questions),
        given=" ".join(f"{id}=..." for id in gate.questions),
        file=gate.file,
        reason=gate.reason,
        why=f": {gate.reason}" if gate.reason else "",
        gate_file=gates.gate_file(gate),
        **more,
    )
