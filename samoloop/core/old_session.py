"""Session folders of samocode, the predecessor, as its own worker and children left them. Texts in, values out.

Nothing in them is proof of what a person did: its notebook belonged to the child, and its parent session answered and
approved in the person's name.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from samoloop.base.values import frozen
from samoloop.core import journal
from samoloop.core.gates import questions
from samoloop.core.gates.questions import Question
from samoloop.core.overview import FILE_NAME as OVERVIEW

NESTED = "_samocode"  # a subfolder that holds the session: a layout that the predecessor gave up itself
SIGNAL, HISTORY, QUESTIONS = "_signal.json", "_signal_history.jsonl", questions.FILE_NAME
OWN_FILES = ("session.log", HISTORY, SIGNAL, QUESTIONS, OVERVIEW)  # of its worker; not carried over
PLAN = "plan"
_DATED = re.compile(r"\d\d-\d\d-\d\d-")
_DOCUMENT = re.compile(r"(\d\d-\d\d)-(\d\d):?(\d\d)-(.+)\.md")
_NAMED = re.compile(r"[a-z]+-[\w.-]{1,80}")
# What a document of its agents was called, by the kind that it is here.
_KINDS = {
    "test-report": "testing-report",
    "quality-review": "review-quality",
    "quality-": "review-",
    "pr-readiness": "review-pr-readiness",
}


@frozen
class OldSession:
    """What such a folder says."""

    name: str  # the folder's, without its date
    phase: str = ""  # as its overview says; empty where it says none
    task: str = ""
    working_dir: str = ""
    status: str = ""  # of its last signal, in small letters; empty where an iteration was cut off, or none ran
    signal_phase: str = ""
    waits_for: str = ""
    reason: str = ""
    overview: str = ""
    questions: tuple[Question, ...] = ()  # with the answers that stand there, whoever wrote them
    plans: tuple[str, ...] = ()  # files, oldest first
    documents: Mapping[str, str] | None = None  # file -> its name here


def named(sessions: Path, name: str) -> Path | None:
    """The newest folder of that name, with or without its date, that the predecessor's worker left."""
    try:
        found = sorted(sessions.iterdir(), reverse=True)
    except OSError:
        return None
    return next(
        (path for path in found if (path.name == name or path.name.endswith(f"-{name}")) and _is_one(path)), None
    )


def _is_one(folder: Path) -> bool:
    ours = os.path.lexists(folder / journal.FILE_NAME)
    return not ours and (folder / OVERVIEW).is_file() and any((folder / file).is_file() for file in (SIGNAL, HISTORY))


def read(name: str, texts: Mapping[str, str], files: Iterable[str]) -> OldSession:
    """The session in a folder of that name, from the texts of its files and the names of all of them."""
    overview, signal = texts.get(OVERVIEW, ""), _signal(texts.get(SIGNAL, ""))
    slug = _DATED.sub("", name)
    names = {file: here for file in sorted(files) if (here := document_name(file, slug))}
    return OldSession(
        name=slug,
        phase=_field(overview, "Phase").lower(),
        task=_task(overview),
        working_dir=_field(overview, "Working Dir"),
        status=signal.get("status", "").lower(),
        signal_phase=signal.get("phase", "").lower(),
        waits_for=signal.get("for", "").lower(),
        reason=signal.get("reason", "") or signal.get("summary", ""),
        overview=overview,
        questions=tuple(questions.parse(texts.get(QUESTIONS, ""))),
        plans=tuple(file for file, here in names.items() if here[len("11-21-0930-") :].startswith(f"{PLAN}-")),
        documents=names,
    )


def document_name(file: str, slug: str) -> str:
    """What a document is called here: `11-21-0930-review-greeting.md`; empty for a file that is none."""
    match = _DOCUMENT.fullmatch(file)
    if match is None:
        return ""
    words = match[4]
    old = next((old for old in _KINDS if words.startswith(old)), "")
    words = _KINDS[old] + words[len(old) :] if old else words
    words = words if "-" in words else f"{words}-{slug}"
    return f"{match[1]}-{match[2]}{match[3]}-{words[:80]}.md" if _NAMED.fullmatch(words[:80]) else ""


def renamed(text: str, names: Mapping[str, str]) -> str:
    """A text with the documents by their names here."""
    for file, here in names.items():
        text = text.replace(file, here)
    return text


def branch_name(folder: str) -> str:
    """The branch that its worker named for a session folder, without a prefix."""
    return folder.split("-", 3)[-1]


def again(found: Iterable[Question]) -> str:
    """The words that give the answers once more, for a command line; empty where none stands there."""
    given = ((question.id, " ".join(question.answer.split())) for question in found if question.answer)
    return " ".join(f"{id}={_quoted(words)}" for id, words in given)


def _quoted(words: str) -> str:
    return words if re.fullmatch(r"[\w.-]+", words) else "'" + words.replace("'", "'\\''") + "'"


def _signal(text: str) -> dict[str, str]:
    """The words of a signal; none for a file that is none."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return (
        {key: said.strip() for key, said in value.items() if isinstance(said, str)} if isinstance(value, dict) else {}
    )


def _field(text: str, key: str) -> str:
    """A line `Key: value`, as its worker read it: the first one anywhere."""
    match = re.search(rf"^{key}:[ \t]*(.+)$", text, re.MULTILINE)
    return match[1].strip().strip("`*_ ") if match else ""


def _task(overview: str) -> str:
    """What the person asked for; a topic to look at first becomes a sentence of it."""
    section = re.search(r"^## Task[^\n]*\n(.*?)(?=^## |\Z)", overview, re.MULTILINE | re.DOTALL)
    text = section[1] if section else ""
    said, topic = _bold(overview, "Task"), _bold(overview, "Dive topic")
    if topic:
        text = re.sub(r"^[-* ]*\*\*Dive topic:\*\*.*$", "", text, flags=re.MULTILINE)
    task = text.strip() or said
    return f"{task}\n\nLook first at: {topic}\n" if task and topic else task or (f"Look at: {topic}" if topic else "")


def _bold(text: str, key: str) -> str:
    match = re.search(rf"^[-* ]*\*\*{key}:\*\*[ \t]*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else ""
