"""What a test, audit, review or improve session found, as the task of a session that mends it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from samoloop.base.errors import UsageError
from samoloop.base.files import read_plain
from samoloop.base.values import frozen
from samoloop.core.session import Session

_DOCUMENTS = ("*-testing-*.md", "*-review-*.md")
_DOCUMENT_BYTES = 1_000_000
_HEAD = re.compile(r"### (F\d+)\s*:\s*(.+)")
_STATUS = re.compile(r"\W*+Status[^\w:]*:\W*+(\w+)", re.IGNORECASE)
_FENCE = re.compile(r"\s*(?:```|~~~)")
_CONFIRMED = "confirmed"


@frozen
class Finding:
    """One finding of a document."""

    id: str
    title: str
    status: str  # confirmed, unverified, ...; empty where it says none
    text: str  # the whole section, its heading first
    document: str  # the file's name


def read(session_dir: Path) -> list[Finding]:
    """Every finding in the session's documents, oldest document first. What cannot be read holds none."""
    paths = sorted({path for pattern in _DOCUMENTS for path in session_dir.glob(pattern)})
    return [finding for path in paths for finding in parse(path.name, _text(path))]


def parse(document: str, text: str) -> Iterator[Finding]:
    """The findings of one document: sections `### F1: title` with a line `Status: ...`."""
    section: list[str] = []
    fenced = False
    lines = [*text.splitlines(), "# end"]
    closed = sum(bool(_FENCE.match(line)) for line in lines) % 2 == 0  # one never closed must not swallow the rest
    for line in lines:
        is_heading = not fenced and re.match(r"#{1,3} ", line)
        if is_heading and section:
            yield _finding(document, section)
            section = []
        if section or (is_heading and _HEAD.match(line)):
            section.append(line)
        fenced ^= closed and bool(_FENCE.match(line))


def as_task(session: Session, words: str | None) -> str:
    """The person's task with the confirmed findings below. Raises UsageError where there is none."""
    found = read(session.dir)
    confirmed = [finding for finding in found if finding.status == _CONFIRMED]
    if not confirmed:
        why = f"none of its {len(found)} findings is confirmed" if found else "it has no findings"
        raise UsageError(
            f"--from {session.name}: {why}; a test, audit, review or improve session that is through has some"
        )
    return f"{(words or f'Mend what {session.name} found').strip()}\n\n{_section(session, confirmed)}\n"


def _section(session: Session, findings: Sequence[Finding]) -> str:
    parts = [
        f"## Findings of {session.name}",
        f"Confirmed there; the documents are in `{session.dir}`. Mend these and nothing else.",
    ]
    if not session.state().created.in_place:
        parts.append(
            f"Tests named there lie on its branch `{session.branch}` and not on yours: bring them over first "
            f"(`git cherry-pick <commit>`, or `git checkout {session.branch} -- <file>`). "
            "Taking off the mark of an expected failure is part of mending."
        )
    several = len({finding.document for finding in findings}) > 1
    for finding in findings:
        head, _, rest = finding.text.partition("\n")
        parts.append(f"{head} ({finding.document})\n{rest}".strip() if several else finding.text)
    return "\n\n".join(parts)


def _finding(document: str, section: Sequence[str]) -> Finding:
    head = _HEAD.match(section[0])
    assert head is not None
    status = next((found[1].lower() for line in section if (found := _STATUS.match(line))), "")
    return Finding(head[1], head[2].strip(), status, "\n".join(section).strip(), document)


def _text(path: Path) -> str:
    try:
        return (read_plain(path, _DOCUMENT_BYTES) or b"").decode("utf-8", "replace")
    except ValueError:
        return ""
