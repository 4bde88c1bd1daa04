"""The gate of questions: the child asks in `_qa.md`, a person answers there."""

import re
from collections.abc import Mapping
from pathlib import Path

from samoloop.base.errors import UsageError
from samoloop.core.decision import Note
from samoloop.core.gates import questions
from samoloop.core.gates.behaviour import Behaviour
from samoloop.core.gates.folder import read_text, writable
from samoloop.core.gates.gate import Act, Closing, Effect, Gate, Given, StillOpen, Verdict
from samoloop.core.signals import Signal

_MOST = 100  # questions at once: more is no work of a model that means them
_ANOTHER = re.compile(r"[\s,;](Q\d+)\s*=", re.IGNORECASE)


class Questions(Behaviour):
    FILE = questions.FILE_NAME
    VERDICTS = (Verdict.ANSWERED,)

    def problem(self, signal: Signal, session_dir: Path, worktree: Path, given: Given) -> str:
        text = read_text(session_dir / self.FILE)
        if text is None:
            return f"it waits for answers, but {self.FILE} is missing or cannot be read"
        waiting = questions.waiting(questions.opened(text, given))
        if len(waiting) > _MOST:
            return (
                f"it waits for answers to {len(waiting):,} questions, and a person is asked at most {_MOST} at once: "
                "ask those that decide most"
            )
        if not waiting:
            return (
                f"it waits for answers, but no question in {self.FILE} waits "
                '(the shape is "### Q1: …" with an "**Answer:**" line)'
            )
        return ""

    def question_ids(self, text: str) -> tuple[str, ...]:
        return tuple(question.id for question in questions.waiting(text))

    def text(self, gate: Gate, before: str, given: Given) -> str:
        return questions.opened(before, given)

    def answers_in(self, text: str) -> dict[str, str]:
        return {question.id: question.answer for question in questions.parse(text) if question.answer}

    def without(self, gate: Gate, text: str, forged: frozenset[str]) -> str:
        said = {id: "" if id in forged else words for id, words in self.answers_in(text).items()}
        return questions.with_answers(text, {id: words for id, words in said.items() if id in gate.questions})

    def examine_text(self, gate: Gate, text: str, session_dir: Path) -> Closing | StillOpen:
        found = {question.id: question for question in questions.parse(text)}
        missing = [id for id in gate.questions if id not in found]
        if missing:
            why = f"{', '.join(missing)} is no longer in {self.FILE}: put the question back and answer it"
            return StillOpen(why, gate.questions)
        left = tuple(id for id in gate.questions if not found[id].answer)
        if left:
            return StillOpen(f"still to answer: {', '.join(left)}", left)
        answered = [found[id] for id in gate.questions]
        by = ", ".join(sorted({question.by or "editor" for question in answered}))
        return Closing(Verdict.ANSWERED, by, answers={q.id: {"title": q.title, "answer": q.answer} for q in answered})

    def written(self, gate: Gate, text: str, act: Act, session_dir: Path) -> str:
        found = {question.id: question for question in questions.parse(text)}
        for id, words in act.answers.items():
            _check(gate, found, id, words, act)
        answers = {id: writable(words) for id, words in act.answers.items()}
        return questions.with_answers(text, answers, writable(act.by))

    def consent(self, gate: Gate, session_dir: Path) -> Act | None:
        answers = suggested(session_dir, gate)
        return Act(Verdict.ANSWERED, "--yes", answers=answers) if answers else None

    def effect(self, gate: Gate, closing: Closing) -> Effect:
        text = f"The person answered {', '.join(gate.questions)} in {self.FILE}."
        return Effect(Note("answered", text), passes=True)


def _check(gate: Gate, found: Mapping[str, questions.Question], id: str, words: str, act: Act) -> None:
    """Raises UsageError for an answer that cannot be."""
    left = [other for other in gate.questions if other in found and not found[other].answer]
    if id not in gate.questions or id not in found:
        raise UsageError(f"no question {id} waits; waiting: {', '.join(gate.questions)}")
    question = found[id]
    if question.answer and not act.takes_place_of(question.by):
        raise UsageError(f"{id} has its answer already: {question.answer[:60]!r} (by {question.by or 'editor'})")
    if not questions.words(words):
        raise UsageError(f"the answer to {id} says nothing ({words!r}); give a letter or words")
    if not _is_option(question, words):
        letters = ", ".join(letter for letter, _ in question.options)
        raise UsageError(f"{id} has the options {letters}, got {words.strip()!r}; words are welcome too")
    also = [match[1].upper() for match in _ANOTHER.finditer(words) if match[1].upper() in left]
    if also:
        raise UsageError(
            f"the answer to {id} holds one to {also[0]} too ({words.strip()[:60]!r}): "
            f"write them apart, such as {id}=A {also[0]}=B, or {id}='words'"
        )


def _is_option(question: questions.Question, words: str) -> bool:
    """False for a single letter that is none of the options."""
    letters = [letter for letter, _ in question.options]
    return not letters or not re.fullmatch("[A-Za-z]", words.strip()) or words.strip().upper() in letters


def read_questions(session_dir: Path) -> list[questions.Question]:
    """The questions of a session; empty where it has none."""
    return questions.parse(read_text(session_dir / questions.FILE_NAME) or "")


def waiting_questions(session_dir: Path, gate: Gate | None) -> list[questions.Question]:
    """The questions of a gate that have no answer yet; none for a gate that asks none."""
    if gate is None or not gate.questions:
        return []
    return [q for q in read_questions(session_dir) if q.id in gate.questions and not q.answer]


def suggested(session_dir: Path, gate: Gate) -> dict[str, str]:
    """The suggested answers of the questions that wait; a question without a usable suggestion is left out."""
    waiting = waiting_questions(session_dir, gate)
    found = {q.id: q.suggested_answer for q in waiting if _is_option(q, q.suggestion)}
    return {id: words for id, words in found.items() if questions.words(words)}


BEHAVIOUR = Questions()
