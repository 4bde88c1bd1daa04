"""`_qa.md`: questions that a child writes and a human answers. Text in, text out; no files here."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from samoloop.base.values import frozen

FILE_NAME = "_qa.md"
WAITING = "_waiting_"

# A child may write 4 MB of anything, so each takes time that grows with the text and no faster.
_QUESTION = re.compile(r"###\s+(Q\d+)\s*[:.)-]?(.*)")
_HEADING = re.compile(r"#{1,3}(?:\s|$)")
_OPTION = re.compile(r"\s*(?:[-*]\s+)?\**([A-Z])\**[).]\**\s(.*)")
_FIELD = re.compile(r"\s*(?:[-*]\s+)?[*_]*(Suggestion|Answer)[*_]*:[*_]{0,2}\s?(.*)$", re.IGNORECASE)
_RULE = re.compile(r"\s*(-{3,}|\*{3,})\s*$")
_NEWLINE = re.compile(r"\r\n|\r|\n")
_COMMENT = re.compile(r"(?<!\\)<!--.*?(?:-->|\Z)", re.DOTALL)  # one that is cut off goes to the end
_BY = re.compile(r"(?<!\\)<!--\s*by\s++(.*)-->")
_MARK = re.compile(rf"\A\s*{WAITING}|(?<!\\){WAITING}\s*\Z")
_NOTHING = re.compile(r"[\s_*.]*+(?:waiting)?[\s_*.]*", re.IGNORECASE)
_CUT = frozenset(mark[:length] for mark in (WAITING, "<!--") for length in range(1, len(mark)))
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
_ESCAPED = re.compile(rf"(?<!\\)\\(\\*(?:<!--|{WAITING}))")
_TO_ESCAPE = re.compile(rf"(?<!\\)(\\*(?:<!--|{WAITING}))")


@frozen
class Question:
    """One question as it stands in the file."""

    id: str  # Q1, Q2, ...
    title: str
    why: str = ""  # the lines between the title and the options
    options: tuple[tuple[str, str], ...] = ()  # (letter, words)
    suggestion: str = ""
    answer: str = ""  # empty while it waits
    by: str = ""  # who answered, where a command or the phone wrote it

    @property
    def suggested_answer(self) -> str:
        """The letter that the suggestion names, or its words; empty where there is no suggestion."""
        match = re.match(r"\**([A-Z])\**(?![A-Za-z])", self.suggestion)
        letters = [letter for letter, _ in self.options]
        return match[1] if match and match[1] in letters else self.suggestion


class _Block(NamedTuple):
    """The part of the file that a question takes: its heading, and the lines up to the next."""

    id: str
    title: str
    start: int
    end: int


def parse(text: str) -> list[Question]:
    """All questions, in order. A repeated id is kept once: the last one counts."""
    lines = _lines(text)
    return [_parse_block(block, lines[block.start + 1 : block.end]) for block in _last(_blocks(lines))]


def waiting(text: str) -> list[Question]:
    """The questions without an answer."""
    return [question for question in parse(text) if not question.answer]


def with_answers(text: str, answers: Mapping[str, str], by: str = "") -> str:
    """`text` with the named questions answered; an answer that says nothing makes a question wait.

    Words that would be read as another question, a field, a comment or the mark get a backslash, which reading takes
    away again.
    """
    lines = _lines(text)

    def new(block: _Block, was: list[str]) -> list[str]:
        return _answer_block(was, answers[block.id], by) if block.id in answers else was

    return _rewritten(lines, _last(_blocks(lines)), new)


def opened(text: str, given: Mapping[str, Mapping[str, str]]) -> str:
    """The child's text as it goes to the human: earlier human answers stand, everything else waits.

    `given` maps an id to the `title` and `answer` that a human gave before. A question whose title has changed is
    another question. Whatever the child wrote as an answer is blanked: it cannot answer. Of a repeated id only the
    last question stays, so that no part of the file holds an answer of the child's.
    """
    lines = _lines(text)
    blocks = _blocks(lines)
    last = frozenset(_last(blocks))

    def new(block: _Block, was: list[str]) -> list[str]:
        before = given.get(block.id)
        answer = before["answer"] if before and before["title"] == block.title else ""
        return [] if block not in last else _answer_block(was, answer, "")

    return _rewritten(lines, blocks, new)


def _rewritten(lines: list[str], blocks: Iterable[_Block], new: Callable[[_Block, list[str]], list[str]]) -> str:
    """The text with `new` lines for each of the blocks, which are in order."""
    made: list[str] = []
    done = 0
    for block in blocks:
        made += lines[done : block.start] + new(block, lines[block.start : block.end])
        done = block.end
    return "\n".join([*made, *lines[done:]]) + "\n"


def words(text: str) -> str:
    """What a person wrote into a field, without comments and the mark; empty where that is nothing."""
    lines = _lines(_COMMENT.sub("", text).strip())
    while lines and (_RULE.match(lines[-1]) or not lines[-1].strip()):
        lines.pop()
    said = _MARK.sub("", "\n".join(lines)).strip()  # typed behind the mark, or before it, instead of over it
    seen = "".join(letter for letter in said if not _is_invisible(letter))
    if _NOTHING.fullmatch(seen) or seen in _CUT:
        return ""
    return "\n".join(_plain(line) for line in _lines(said))


def _is_invisible(letter: str) -> bool:
    """A control or format character, a space of any width, or a filler that is drawn as nothing."""
    return unicodedata.category(letter)[0] in "CZ" or letter in _FILLERS


def _lines(text: str) -> list[str]:
    """Lines as editors see them; `splitlines` knows more separators, and would change a person's text."""
    lines = _NEWLINE.split(text)
    return lines[:-1] if not lines[-1] else lines


def _blocks(lines: list[str]) -> list[_Block]:
    """Every question, repeated ids too."""
    headings = [index for index in _outside_fences(lines) if _HEADING.match(lines[index])]
    found = []
    for start, end in pairwise([*headings, len(lines)]):
        match = _QUESTION.match(lines[start])
        if match:
            found.append(_Block(match[1], match[2].strip().strip("* "), start, end))
    return found


def _last(blocks: list[_Block]) -> list[_Block]:
    """Of each id the last block, which counts."""
    by_id = {block.id: block for block in blocks}
    return sorted(by_id.values(), key=lambda block: block.start)


def _is_fence(line: str) -> bool:
    return line.lstrip().startswith("```")


def _outside_fences(lines: list[str]) -> Iterable[int]:
    fenced = False
    for index, line in enumerate(lines):
        if _is_fence(line):
            fenced = not fenced
        elif not fenced:
            yield index


def _parse_block(block: _Block, lines: list[str]) -> Question:
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
            options.append((option[1], option[2].strip()))
        elif not options and not suggestion:
            why.append(line.strip())
    signed = answer.rstrip()
    by = _BY.fullmatch(signed, max(signed.rfind("<!--"), 0))
    return Question(
        id=block.id,
        title=block.title,
        why=" ".join(line for line in why if line),
        options=tuple(options),
        suggestion=suggestion,
        answer=words(answer),
        by=by[1].strip() if by else "",
    )


def _answer_block(lines: list[str], answer: str, by: str) -> list[str]:
    """The lines of one question, heading first, with its answer replaced."""
    outside = _outside_fences(lines)
    at = next((i for i in outside if (m := _FIELD.match(lines[i])) and m[1].lower() == "answer"), None)
    head = lines[:at] if at is not None else list(lines)
    while not head[-1].strip():
        head.pop()
    if sum(map(_is_fence, head)) % 2:
        head.append("```")  # else the answer would be part of the example
    if not words(answer):
        return [*head, f"**Answer:** {WAITING}", ""]
    name = " ".join(by.split()).replace("-->", "").replace("<!--", "").strip()
    return [*head, f"**Answer:** {harmless(answer)}" + (f" <!-- by {name} -->" if name else ""), ""]


def harmless(text: str) -> str:
    """A person's words with a backslash wherever they could be read as something else; `words` is the inverse."""
    lines = _lines(_TO_ESCAPE.sub(r"\\\1", text.strip()))
    return "\n".join(f"\\{line}" if _is_structure(line.lstrip("\\")) else line for line in lines)


def _plain(line: str) -> str:
    """The inverse, for one line."""
    if line.startswith("\\") and _is_structure(line.lstrip("\\")):
        line = line[1:]
    return _ESCAPED.sub(r"\1", line)


def _is_structure(line: str) -> bool:
    return _is_fence(line) or any(pattern.match(line) for pattern in (_HEADING, _FIELD, _RULE))
