"""`_qa.md`: questions that a child writes and a human answers. Text in, text out; no files here."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

FILE_NAME = "_qa.md"
WAITING = "_waiting_"

_QUESTION = re.compile(r"###\s+(Q\d+)\s*[:.)-]?\s*(.*?)\s*$")
_HEADING = re.compile(r"#{1,3}\s")
_OPTION = re.compile(r"\s*(?:[-*]\s+)?\**([A-Z])\**[).]\s+(.*?)\s*$")
_FIELD = re.compile(r"\s*(?:[-*]\s+)?\**(Suggestion|Answer):\**\s?(.*)$", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_BY = re.compile(r"<!--\s*by\s+(.*?)\s*-->")
_NOTHING = re.compile(r"[\s_*.]*(?:waiting)?[\s_*.]*", re.IGNORECASE)
_RULE = re.compile(r"\s*(-{3,}|\*{3,})\s*$")


@dataclass(frozen=True)
class Question:
    """One question as it stands in the file."""

    id: str  # Q1, Q2, ...
    title: str
    why: str = ""  # the lines between the title and the options
    options: tuple[tuple[str, str], ...] = ()  # (letter, words)
    suggestion: str = ""
    answer: str = ""  # empty while it waits
    by: str = ""  # who answered, where a command or the phone wrote it
    lines: tuple[int, int] = field(default=(0, 0), compare=False)  # its part of the file, end exclusive

    @property
    def suggested_answer(self) -> str:
        """The letter that the suggestion names, or its words; empty where there is no suggestion."""
        match = re.match(r"\**([A-Z])\**(?![A-Za-z])", self.suggestion)
        letters = [letter for letter, _ in self.options]
        return match[1] if match and match[1] in letters else self.suggestion


def parse(text: str) -> list[Question]:
    """All questions, in order. A repeated id is kept once: the last one counts."""
    lines = text.splitlines()
    starts = [(i, m) for i, m in ((i, _QUESTION.match(lines[i])) for i in _outside_fences(lines)) if m]
    found: dict[str, Question] = {}
    for start, match in starts:
        end = next((i for i in _outside_fences(lines) if i > start and _HEADING.match(lines[i])), len(lines))
        question = _parse_block(match[1], match[2], lines[start + 1 : end], (start, end))
        found.pop(question.id, None)
        found[question.id] = question
    return list(found.values())


def waiting(text: str) -> list[Question]:
    """The questions without an answer."""
    return [question for question in parse(text) if not question.answer]


def with_answers(text: str, answers: Mapping[str, str], by: str = "") -> str:
    """`text` with the named questions answered; an empty answer makes a question wait."""
    lines = text.splitlines()
    for question in sorted(parse(text), key=lambda q: q.lines, reverse=True):
        if question.id in answers:
            start, end = question.lines
            lines[start:end] = _answer_block(lines[start:end], answers[question.id], by)
    return "\n".join(lines) + "\n"


def opened(text: str, given: Mapping[str, Mapping[str, str]]) -> str:
    """The child's text as it goes to the human: earlier human answers stand, everything else waits.

    `given` maps an id to the `title` and `answer` that a human gave before. A question whose title has changed is
    another question. Whatever the child wrote as an answer is blanked: it cannot answer.
    """
    answers = {}
    for question in parse(text):
        before = given.get(question.id)
        answers[question.id] = before["answer"] if before and before["title"] == question.title else ""
    return with_answers(text, answers)


def _outside_fences(lines: list[str]) -> Iterable[int]:
    fenced = False
    for index, line in enumerate(lines):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            yield index


def _parse_block(id: str, title: str, lines: list[str], span: tuple[int, int]) -> Question:
    why: list[str] = []
    options: list[tuple[str, str]] = []
    suggestion = ""
    answer = ""
    outside = set(_outside_fences(lines))
    for index, line in enumerate(lines):
        match = _FIELD.match(line) if index in outside else None
        if match and match[1].lower() == "answer":
            answer = "\n".join([match[2], *lines[index + 1 :]])
            break
        option = _OPTION.match(line)
        if match:
            suggestion = match[2].strip()
        elif option:
            options.append((option[1], option[2]))
        elif not options and not suggestion:
            why.append(line.strip())
    by = _BY.search(answer)
    return Question(
        id=id,
        title=title.strip("* "),
        why=" ".join(line for line in why if line),
        options=tuple(options),
        suggestion=suggestion,
        answer=_clean_answer(answer),
        by=by[1] if by else "",
        lines=span,
    )


def _clean_answer(text: str) -> str:
    lines = _COMMENT.sub("", text).strip().splitlines()
    while lines and (_RULE.match(lines[-1]) or not lines[-1].strip()):
        lines.pop()
    cleaned = "\n".join(lines).strip()
    if _NOTHING.fullmatch(cleaned):
        return ""
    return cleaned.removeprefix(WAITING).strip()  # somebody typed behind the mark instead of over it


def _answer_block(lines: list[str], answer: str, by: str) -> list[str]:
    """The lines of one question, heading first, with its answer replaced."""
    outside = _outside_fences(lines)
    at = next((i for i in outside if (m := _FIELD.match(lines[i])) and m[1].lower() == "answer"), None)
    head = lines[:at] if at is not None else lines
    while head and not head[-1].strip():
        head = head[:-1]
    signature = f" <!-- by {by.replace('-->', '')} -->" if by and answer else ""
    return [*head, f"**Answer:** {_harmless(answer) or WAITING}{signature}", ""]


def _harmless(answer: str) -> str:
    """Words that cannot be read as another question, a field, or a comment."""
    text = answer.strip().replace("<!--", "<! --").replace("```", "'''")
    lines = text.splitlines()
    return "\n".join(f"\\{line}" if _HEADING.match(line) or _FIELD.match(line) else line for line in lines)
