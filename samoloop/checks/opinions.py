"""What other models found: kept from one another until all have looked, then judged by the phase that follows."""

import re
from collections.abc import Iterator, Mapping

from samoloop.base.files import make_folder, remove, write_atomic
from samoloop.checks.markdown import heading, lines
from samoloop.core.evidence import Evidence, Weight
from samoloop.core.gates import read_text
from samoloop.core.workflow import reviewer_of
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

SOURCE = "opinions"
_PATTERN, _HIDDEN = "*-opinion-*.md", "_opinions"
_FINDING = re.compile(r"(F\d{1,4})\b")
_BLOCKING = re.compile(r"\W*Severity\W+blocking\b", re.IGNORECASE)
_NAMED = 10


def keep_apart(worker: Worker) -> Mapping[str, str]:
    """Take away what others found while one looks; put it back for whoever judges. A station of a worker."""
    session = worker.session
    hidden = session.control / _HIDDEN
    looks = bool(reviewer_of(worker.state.phase))
    source, target = (session.dir, hidden) if looks else (hidden, session.dir)
    for path in sorted(source.glob(_PATTERN)) if source.is_dir() else ():
        text = read_text(path)
        if text is not None:
            make_folder(target)
            write_atomic(target / path.name, text)
        remove(path)
    return {}


def opinions_part(worker: Worker) -> str:
    """Where the findings of the others are, for the phase that judges them. A station of a worker, for the prompt."""
    state = worker.state
    names = state.live_workflow.names
    place = names.index(state.phase)
    if reviewer_of(state.phase) or not place or not reviewer_of(names[place - 1]):
        return ""
    return (
        f"## Opinions\n\nOther models reviewed this change, each by itself: `{_PATTERN}` in the session folder. After "
        "your own findings, try to refute each of theirs. Name each blocking one in your document by file and number "
        "(`<name of the opinion> F1`) with what came of it."
    )


def opinion_findings(worker: Worker, finished: Finished) -> list[Evidence]:
    """A blocking finding of another model that nobody judged keeps the phase. A station of a worker."""
    if not finished.leaves() or not opinions_part(worker):
        return []
    folder = worker.session.dir
    judged = "\n".join(read_text(path) or "" for path in sorted(folder.glob("*-review-*.md")))
    missed = [
        f"{path.stem} {id}"
        for path in sorted(folder.glob(_PATTERN))
        for id in blocking(read_text(path) or "")
        if not re.search(rf"{re.escape(path.stem)}\W+{id}\b", judged)
    ]
    if not missed:
        return []
    why = f"Blocking findings of other models that no review judges: {', '.join(missed[:_NAMED])}"
    return [Evidence(SOURCE, Weight.VETO, f"{why}. Name each in the newest review document, with what came of it.")]


def blocking(text: str) -> Iterator[str]:
    """The numbers of the findings that an opinion calls blocking."""
    id = ""
    for line in lines(text):
        if (title := heading(line)) is not None:
            match = _FINDING.match(title)
            id = match[1] if match else ""
        elif id and _BLOCKING.match(line):
            yield id
