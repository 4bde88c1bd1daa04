"""What a human's answers mean to a script: a letter, a letter with words, or words."""

import re
from collections.abc import Sequence
from typing import Any

from samoloop.base.values import frozen
from samoloop.core.gates import questions
from samoloop.demo.scenario import Answers, Question, Scenario
from samoloop.demo.visit import Visit

LETTERS = "ABCDEFGH"


@frozen
class Chosen:
    """One answered question."""

    id: str
    key: str
    value: Any
    sentence: str  # for documents and the screen


def understood(asked: Sequence[Question], answered: Sequence[questions.Question]) -> list[Chosen]:
    """What each answer means. Words outweigh a letter; words that say nothing to a script leave the suggestion."""
    words = {question.id: question.answer for question in answered}
    decisions = []
    for number, question in enumerate(asked, 1):
        id = f"Q{number}"
        value, meaning = _meaning(question, words.get(id, ""))
        decisions.append(Chosen(id, question.key, value, f"{id}: {_quoted(words.get(id, ''))} → {meaning}"))
    return decisions


def values(visit: Visit, scenario: Scenario) -> Answers:
    """What the human decided, read from the session's files as any fresh child would."""
    answered = questions.parse(visit.read_note(questions.FILE_NAME)) if scenario.questions else []
    return {decision.key: decision.value for decision in understood(scenario.questions, answered)}


def _meaning(question: Question, answer: str) -> tuple[Any, str]:
    letter = re.match(r"\W*([A-Za-z])(?![A-Za-z])\W*", answer)
    rest = answer[letter.end() :] if letter else answer
    read = question.read(rest) if rest.strip() else None
    if read is not None:
        return read.value, read.words
    if letter and letter[1].upper() in LETTERS[: len(question.options)]:
        option = question.options[LETTERS.index(letter[1].upper())]
        return option.value, option.words
    option = question.options[0]
    return option.value, f"{option.words} (a script reads letters and numbers only, so it took its suggestion)"


def _quoted(answer: str) -> str:
    line = " ".join(answer.split())
    return line if len(line) <= 80 else line[:79] + "…"
