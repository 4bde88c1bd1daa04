"""What became of a session's branch after its end: pushed, a pull request, or why not. From the records of the room
that does it, in one place for report, status and phone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Any

from samoloop.base.values import frozen
from samoloop.core.records import Record, RoomRecord

BEGUN, FAILED = "finish.begun", "finish.failed"
PUSHED, OPENED, ENDED = "finish.pushed", "finish.opened", "finish.ended"


@frozen
class Finished:
    """What is known of it; a later record counts."""

    begun: bool = False  # it was to be done, whatever came of it
    pushed: Mapping[str, Any] = field(default_factory=dict)  # remote, branch, commit
    opened: Mapping[str, Any] = field(default_factory=dict)  # url, draft, commit
    ended: str = ""  # how the pull request ended: merged, closed
    failed: str = ""  # why the last try came to nothing

    @property
    def commit(self) -> str:
        """What the remote was given last; empty where it was given nothing."""
        return str(self.pushed.get("commit", ""))

    @property
    def url(self) -> str:
        """Of the pull request; empty where there is none."""
        return str(self.opened.get("url", ""))

    def to_json(self) -> dict[str, Any]:
        """For programs; what is not there is null."""
        return {
            "pushed": self.commit or None,
            "pull_request": self.url or None,
            "ended": self.ended or None,
            "draft": bool(self.opened.get("draft")),
            "failed": self.failed or None,
            "lines": self.lines(),
        }

    def lines(self) -> list[str]:
        """All of it, a sentence each."""
        found = []
        if self.commit:
            where = f"{self.pushed.get('branch', '')} to {self.pushed.get('remote', '')}"
            found.append(f"Pushed {where} at {self.commit[:7]}")
        if self.url:
            end = f" ({self.ended})" if self.ended else ""
            found.append(f"{'Draft pull' if self.opened.get('draft') else 'Pull'} request: {self.url}{end}")
        if self.failed:
            found.append(f"Not finished: {self.failed}")
        return [" ".join(line.split()) for line in found]


def finished(records: Iterable[Record]) -> Finished:
    """What the records say of it."""
    found = Finished()
    for record in records:
        if isinstance(record, RoomRecord):
            found = _after(found, record.name, record.values)
    return found


def _after(found: Finished, name: str, values: Mapping[str, Any]) -> Finished:
    match name:
        case "finish.begun":
            return replace(found, begun=True)
        case "finish.pushed":
            return replace(found, pushed=values, failed="")
        case "finish.opened":
            return replace(found, opened=values, ended="", failed="")
        case "finish.ended":
            return replace(found, ended=str(values.get("state", "")))
        case "finish.failed":
            return replace(found, failed=str(values.get("why", "")))
    return found
