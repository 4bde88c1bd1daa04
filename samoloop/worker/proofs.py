"""The parts of a report by which a person judges the result: what was checked and by whom, what was refused or let
pass, what never ran, and what the children themselves wrote, marked as their words.

Records of rooms are read by their names and leniently: what is missing is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from samoloop.core.gates import read_text
from samoloop.core.headline import concluded, headline
from samoloop.core.records import Ended, Record, RoomRecord
from samoloop.core.session import Session
from samoloop.core.state import Condition, State

_DOCUMENTS_SHOWN, _REFUSED_SHOWN, _NOTES_SHOWN, _COMMITS_SHOWN = 40, 20, 10, 20
_LONGEST, _WORDS = 600, 1500  # characters of a line, and of a part of a document
_RUNS = {"base": "at the base", "old tests": "the tests of the base on this code", "new tests": "its tests on the base"}


def evidence(records: Sequence[Record]) -> str:
    """Each check at the tree that the session ends with, and before that at the last one that was judged."""
    of_rooms = [record for record in records if isinstance(record, RoomRecord)]
    judged = [record.values for record in of_rooms if record.name == "checks.judged"]
    runs = [record.values for record in of_rooms if record.name == "checks.ran"]
    tree = concluded(records).get("tree") or (judged[-1].get("tree") if judged else "")
    newest = {str(found.get("check")): found for found in judged if found.get("tree") == tree}
    lines = [line for found in newest.values() for line in _of_check(found, runs)]
    for record in records:
        if isinstance(record, RoomRecord) and record.name == "evidence.waived":
            said = record.values
            lines.append(
                f"- waived by {_line(said.get('by', ''))}: {_line(said.get('name', ''))}: {_line(said.get('why', ''))}"
            )
    refused = [record for record in records if isinstance(record, Ended) and record.decision.vetoed]
    lines += [
        f"- iteration {record.iteration} ({record.phase}) was refused: {_line(record.decision.reason)}"
        for record in refused[-_REFUSED_SHOWN:]
    ]
    if len(refused) > _REFUSED_SHOWN:
        lines.append(f"- and {len(refused) - _REFUSED_SHOWN} more were refused before")
    return "\n".join(lines)


def _of_check(found: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    name, tree = str(found.get("check")), str(found.get("tree", ""))
    own = [run for run in runs if run.get("check") == name]
    now = [run for run in own if (run.get("kind"), run.get("tree")) == ("now", tree)]
    command = f", `{_line(now[-1].get('command'))}`" if now else ""
    verdict, said = _line(found.get("verdict", "")), _line(found.get("said", ""))
    lines = [f"- **{_line(name)}: {verdict}**: {said}; run by samoloop on the tree {tree[:12]}{command}"]
    for kind, words in _RUNS.items():
        run = next((run for run in reversed(own) if run.get("kind") == kind), None)
        if run:
            lines.append(f"  - {words}: {_line(run.get('said', ''))}")
    notes = found.get("notes")
    if isinstance(notes, list | tuple):
        lines += [f"  - {_line(note)}" for note in notes[:_NOTES_SHOWN]]
    return lines


def changed_tests(records: Sequence[Record]) -> str:
    """Tests that were there before the session and are not what they were."""
    paths = concluded(records).get("tests")
    return "\n".join(f"- `{_line(path)}`" for path in paths) if isinstance(paths, list | tuple) else ""


def never_ran(state: State, ended: Iterable[Ended]) -> str:
    """Phases of the workflow in which no child worked, of a session that is done."""
    if state.condition is not Condition.DONE:
        return ""
    ran = {record.phase for record in ended}
    return "\n".join(f"- {phase.name}" for phase in state.live_workflow.phases if phase.child and phase.name not in ran)


# --- what children wrote ----------------------------------------------------------------------------------------------


def links(session: Session) -> str:
    names = session.documents()
    more = [f"- and {len(names) - _DOCUMENTS_SHOWN} more in `{session.dir}`"] if len(names) > _DOCUMENTS_SHOWN else []
    return "\n".join([*(f"- [{name}]({name})" for name in names[-_DOCUMENTS_SHOWN:]), *more])


def part(session: Session, title: str) -> str:
    """A section of the document that holds the result, quoted; empty where there is none."""
    words = section(session, title)
    return "\n".join(f"> {line}".rstrip() for line in words.splitlines())


def section(session: Session, title: str) -> str:
    """A section of the document that holds the result, as the child wrote it; empty where there is none."""
    path = session.result_document()
    text = (read_text(path) or "") if path else ""
    found: list[str] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("#"):
            inside = line.strip("# :").lower() == title.lower()
        elif inside:
            found.append(line[:_LONGEST])
    words = "\n".join(found).strip()
    return words if len(words) <= _WORDS else f"{words[:_WORDS]}…"


def pull_request(session: Session, records: Sequence[Record], commits: Sequence[tuple[str, str]]) -> str:
    """A text to paste: what it is, how it was checked, what is open."""
    state = session.state()
    if state.condition is not Condition.DONE or not commits:
        return ""
    parts = [f"{_line(session.task)}", section(session, "In short") or state.summary]
    parts.append(f"{headline(concluded(records)).rstrip('.')}.")
    if gaps := section(session, "Known gaps"):
        parts.append(f"Known gaps:\n\n{gaps}")
    shown = [f"- {_line(subject)}" for _, subject in commits[:_COMMITS_SHOWN]]
    if len(commits) > _COMMITS_SHOWN:
        shown.append(f"- and {len(commits) - _COMMITS_SHOWN} more")
    return "\n\n".join(filter(None, [*parts, "Commits:\n\n" + "\n".join(shown)]))


def _line(text: object) -> str:
    return " ".join(str(text).split())[:_LONGEST]
