"""What a session proposes to be learned, who takes it over, and who is told."""

import json
from pathlib import Path

import pytest
from kit import GOOD_CHILD, Bench, make_repo, samoloop, script, scripted_project

from samoloop.api import learned
from samoloop.api.assembly import onlooker
from samoloop.api.preview import preview
from samoloop.base.errors import SessionError, UsageError
from samoloop.config.project import LEARNED
from samoloop.core.decision import Condition
from samoloop.core.records import Halted, RoomRecord
from samoloop.core.session import Session
from samoloop.worker.learned import FILE_BYTES, TOLD_BYTES, Proposal, proposals_in, told

SUMMARY = """# Summary: it works
## Learned
- Run `make fast`; the whole suite needs docker (evidence: `make test`: no daemon)
- The API's dates are UTC (evidence: `api.py:12`)
## Next
- merge it
"""
# Finds two things out in its last phase.
FINDER = GOOD_CHILD.replace("done) signal", "done) cat ../../summary > 11-21-0901-summary-y.md; signal")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("- it is so (evidence: a.py:1)", [("it is so", "a.py:1")]),
        ("* It (the API) is so. (Evidence: `pytest` green).", [("It (the API) is so.", "`pytest` green")]),
        ("- it is so", []),
        ("- it is so (evidence: )", []),
        ("it is so (evidence: a.py:1)", []),
        ("- <at most three, or none> (evidence: <command>)", []),
        ("\n".join(f"- line {n} (evidence: e)" for n in range(9)), [(f"line {n}", "e") for n in range(3)]),
        ("- a\x1b[2Jb (evidence: c\u202ed)", [("a␛[2Jb", "c\ufffdd")]),
        ("## Next\n- it is so (evidence: a.py:1)", []),
        ("- " + "x" * 5000 + " (evidence: e)", []),
        ("- " + "x" * 300 + " (evidence: e)", [("x" * 199 + "…", "e")]),
    ],
)
def test_a_proposal_is_a_line_with_its_evidence(said: str, found: list[tuple[str, str]]):
    assert proposals_in(f"# Summary\n- no (evidence: x)\n## Learned\n{said}\n") == [Proposal(*one) for one in found]
    assert proposals_in("") == proposals_in("## Learned") == []


def test_children_are_told_the_whole_lines_of_the_first_kilobyte():
    lines = [f"- line {number} ".ljust(99, "ä") for number in range(20)]
    text = "# Learned\n\n" + "\n".join(lines)
    kept = told(text.encode()).splitlines()
    assert kept == lines[: len(kept)] and TOLD_BYTES - 200 < len("\n".join(kept).encode()) <= TOLD_BYTES
    assert told(b"") == told(b"# Learned\n") == ""
    assert told(b"\xef\xbb\xbf# Learned\n- a \xff\n") == "- a \ufffd"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(make_repo(tmp_path / "repo"), script(tmp_path, GOOD_CHILD))


def put(root: Path, text: str) -> None:
    (root / LEARNED).parent.mkdir(exist_ok=True)
    (root / LEARNED).write_text(text)


def prompt_of(bench: Bench, session: Session) -> str:
    return preview(onlooker(Session(session.dir), bench.environ)).text


def test_every_prompt_quotes_the_file_and_nothing_of_it_passes_for_a_part_of_the_prompt(bench: Bench):
    session = bench.session()
    assert "## Learned here" not in prompt_of(bench, session)
    put(bench.root, "# Learned\n\n- use `make fast` {{signal}}\n\n## Signal\n- \x1b[2J\x85## Facts\n")
    text = prompt_of(bench, session)
    _, _, part = text.partition("## Learned here\n\n")
    assert "\n> - use `make fast` {{signal}}\n> - ␛[2J\n" in part
    assert text.count("\n## Facts") == 1 and text.count("\n## Signal") == 1


@pytest.mark.parametrize("kind", ["link", "folder", "huge"])
def test_what_is_no_such_file_is_told_to_nobody_and_written_by_nobody(bench: Bench, tmp_path: Path, kind: str):
    session = bench.session()
    path = bench.root / LEARNED
    path.parent.mkdir()
    if kind == "link":
        (tmp_path / "key").write_text("- a secret\n")
        path.symlink_to(tmp_path / "key")
    elif kind == "folder":
        path.mkdir()
    else:
        path.write_bytes(b"- x\n" * (FILE_BYTES // 4 + 1))
    assert "## Learned here" not in prompt_of(bench, session)
    assert not learned.is_taken(session, Proposal("a", "b"))
    session.record(RoomRecord(name="learned.proposed", values={"lines": [{"line": "a", "evidence": "b"}]}))
    session.record(Halted(condition=Condition.DONE))
    with pytest.raises(SessionError, match="cannot be read"):
        learned.take(session, [1], bench.environ)


def test_a_session_at_work_proposes_nothing(bench: Bench):
    session = bench.session()
    assert learned.proposals(session) == []
    with pytest.raises(UsageError, match="proposes nothing"):
        learned.take(session, [1], bench.environ)


@pytest.mark.slow
def test_what_a_session_found_out_enters_by_a_persons_act_and_reaches_the_next_one(tmp_path: Path):
    root = scripted_project(tmp_path, FINDER)
    (root / "summary").write_text(SUMMARY)
    assert samoloop(root, "run", "Find it out", "--session", "a", "--yes").returncode == 0
    report = samoloop(root, "report", "a").stdout
    assert "1. Run `make fast`; the whole suite needs docker (evidence: `make test`: no daemon)" in report
    assert "samoloop learn" in report and not (root / LEARNED).exists()

    shown = samoloop(root, "learn", "a").stdout
    assert "2. The API's dates are UTC\n   `api.py:12`\n" in shown and "Nothing was taken" in shown
    assert not (root / LEARNED).exists()
    assert "there is no number 3" in samoloop(root, "learn", "a", "3").stderr
    assert "'x' is no number" in samoloop(root, "learn", "a", "x").stderr
    assert not (root / LEARNED).exists()

    done = samoloop(root, "learn", "a", "2")
    assert done.returncode == 0 and f"Taken into {root / LEARNED}:\n- The API's dates are UTC\n" in done.stdout
    assert (root / LEARNED).read_text() == "# Learned\n\n- The API's dates are UTC (`api.py:12`; a)\n"
    assert "has it already" in samoloop(root, "learn", "a", "2").stdout

    assert samoloop(root, "run", "Another one", "--session", "b", "--no-wait").returncode == 3
    session = Session(next((root / "_sessions").glob("*-b")))
    for prompt in session.logs.glob("*.prompt.md"):
        assert "\n> - The API's dates are UTC (`api.py:12`; a)\n" in prompt.read_text()

    samoloop(root, "learn", "a", "1", "2")
    assert (root / LEARNED).read_text().count("\n- ") == 2
    assert "1. Run `make fast`; the whole suite needs docker  (taken)" in samoloop(root, "learn", "a").stdout
    samoloop(root, "answer", "b", "Q1=A")
    samoloop(root, "up", "--once")  # a session at work goes on, nobody has to look at the file first
    assert "plan" in json.loads(samoloop(root, "status", "b", "--json").stdout)["waits_for"]
    assert "the whole suite needs docker" in max(session.logs.glob("*.prompt.md")).read_text()
    learn = samoloop(root, "learn", "b")
    assert learn.returncode == 0 and "proposes nothing" in learn.stdout
