"""How a session ended, in a sentence that says who checked what: the same in the report, the lists and on the phone.

What was seen is written down when a child says that the session is done, in one record; here it is only found again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from samoloop.core.records import Record, RoomRecord

CONCLUDED = "evidence.concluded"
DONE = "Done."  # of a session that nobody has looked at so
LONGEST = 400


def concluded(records: Iterable[Record]) -> Mapping[str, Any]:
    """What was written down last; empty where nothing was."""
    found: Mapping[str, Any] = {}
    for record in records:
        if isinstance(record, RoomRecord) and record.name == CONCLUDED:
            found = record.values
    return found


def headline(values: Mapping[str, Any]) -> str:
    """`Done. pytest green at 3bef69b (212 passed), run by samoloop`, from what was written down."""
    said = values.get("said")
    return " ".join(said.split())[:LONGEST] if isinstance(said, str) and said.strip() else DONE
