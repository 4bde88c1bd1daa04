"""What a session found out about its project, proposed at its end in at most three lines, each with its evidence.

A person takes a line over, and nobody else. What they took stands in a file of the project, whose first kilobyte every
child is told.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from samoloop.base.files import read_plain, sha256
from samoloop.base.printable import one_line
from samoloop.base.values import frozen
from samoloop.config.project import LEARNED
from samoloop.config.settings_files import hash_in
from samoloop.core.decision import Kind
from samoloop.core.evidence import Evidence
from samoloop.core.gates import read_text
from samoloop.core.records import Record, RoomRecord
from samoloop.worker.stations import Finished
from samoloop.worker.worker import Worker

RECORD = "learned.proposed"
TOLD_BYTES = 1024
FILE_BYTES = 1_000_000
_MOST, _LONGEST = 3, 200  # proposals; characters of a line, and of its evidence
_SECTION_LINES = 20
_PROPOSAL = re.compile(r"\s{0,3}[-*]\s+(\S.*?)\s*\(evidence:\s*(\S.*?)\s*\)\.?\s*", re.IGNORECASE)


@frozen
class Proposal:
    """A line that a child would have others know."""

    line: str
    evidence: str

    def written(self, session: str) -> str:
        """As it stands in the file."""
        return f"- {self.line} ({self.evidence}; {session})"


def proposals_in(text: str) -> list[Proposal]:
    """Those of a document, under `## Learned`: a line each, with its evidence; what has none is left out."""
    found: list[Proposal] = []
    inside = 0
    for line in text.splitlines():
        if line.startswith("#"):
            inside = _SECTION_LINES if line.strip("# :").casefold() == "learned" else 0
        elif inside and len(found) < _MOST:
            inside -= 1
            match = _PROPOSAL.fullmatch(line[: 4 * _LONGEST])
            if match and not match[1].startswith("<"):  # the template's own words
                found.append(Proposal(one_line(match[1], _LONGEST), one_line(match[2], _LONGEST)))
    return found


def proposed(records: Iterable[Record]) -> list[Proposal]:
    """What the session proposed last."""
    values: Mapping[str, Any] = {}
    for record in records:
        if isinstance(record, RoomRecord) and record.name == RECORD:
            values = record.values
    lines = values.get("lines")
    found = lines if isinstance(lines, Sequence) and not isinstance(lines, str) else ()
    return [Proposal(str(one["line"]), str(one["evidence"])) for one in found if {"line", "evidence"} <= set(one)][
        :_MOST
    ]


def read(root: Path) -> bytes:
    """The project's file; nothing where there is none. Raises ValueError for a link, and for what is too large."""
    data = read_plain(root / LEARNED, FILE_BYTES) or b""
    if len(data) > FILE_BYTES:
        raise ValueError("it is larger than 1 MB")
    return data


def told(data: bytes) -> str:
    """Of the file what children are told: the whole lines of its first kilobyte, the headings left out."""
    start = data[:TOLD_BYTES]
    whole = (start if start == data else start.rpartition(b"\n")[0]).decode("utf-8-sig", "replace")
    return "\n".join(line.rstrip() for line in whole.splitlines() if line.strip() and not line.startswith("#"))


# --- at the stations --------------------------------------------------------------------------------------------------


def propose(worker: Worker, finished: Finished) -> list[Evidence]:
    """Write down what a session that ends proposes. A station of a worker."""
    if finished.wanted is None or finished.wanted.kind is not Kind.DONE:
        return []
    session = worker.session
    path = session.result_document()
    found = proposals_in((read_text(path) or "") if path else "")
    if found or proposed(session.journal.read()):
        lines = [{"line": one.line, "evidence": one.evidence} for one in found]
        session.record(RoomRecord(name=RECORD, values={"lines": lines}))
    return []


def learned_part(worker: Worker) -> str:
    """What was learned in this project, for the prompt. A station of a worker.

    Where a child can write the file, it counts as the worker found it.
    """
    try:
        data = read(worker.config.root)
    except (OSError, ValueError):
        return ""
    if worker.state.created.in_place and worker.settings_now and hash_in(worker.settings_now, LEARNED) != sha256(data):
        return ""
    words = "\n".join(f"> {one_line(line)}" for line in told(data).splitlines())
    if not words:
        return ""
    lead = "Earlier sessions found this out, and the human took it over. What you see yourself outweighs it."
    return f"## Learned here\n\n{lead}\n\n{words}"
