"""One page that a person audits in a minute: from the journal alone, and nothing in it that a child could fake."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from records import T0, closed, created, ended, event, in_phase, opened, prepared, started, waited, went

from samoloop.base.files import tail
from samoloop.core import records as core_records
from samoloop.core.records import Record
from samoloop.core.session import Session
from samoloop.core.state import Totals, fold
from samoloop.worker.report import money, render, tokens


def report(
    tmp_path: Path,
    *parts: Record | list[Record],
    commits: Sequence[tuple[str, str]] = (),
    diff_stat: str = "",
    **more: Any,
) -> str:
    records = [created(**more), prepared()]
    for part in parts:
        records += part if isinstance(part, list) else [part]
    session = Session(tmp_path / "26-11-21-add-login")
    session.logs.mkdir(parents=True)
    session.journal.path.write_bytes(b"".join(map(core_records.line, records)))
    return render(session, list(session.journal.read()), commits, diff_stat)


def section(text: str, title: str) -> list[str]:
    """The lines of one section."""
    assert f"\n## {title}\n\n" in text
    return text.partition(f"\n## {title}\n\n")[2].partition("\n\n## ")[0].splitlines()


def titles(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#")]


WHOLE = [
    *in_phase("done"),
    started(6, "done"),
    ended(6, "done", {"kind": "done", "summary": "All good.\nReally."}, signal={"status": "done"}, said="bye"),
]


def test_a_finished_session_is_told_on_one_page(tmp_path: Path) -> None:
    text = report(tmp_path, WHOLE, diff_stat=" a.py | 2 +-\n 1 file changed\n")
    assert text.startswith("# Add login\n\n**Done.**\n\n> All good.\n> Really.\n\n- Session: `")
    assert "- Branch: `samoloop/add-login`, worktree `/p/.samoloop/worktrees/26-11-21-add-login`" in text
    assert "- Spent: 6 iterations, 6m 00s of work, cost unknown for 6 iterations, 0 tokens in, 0 out" in text
    assert titles(text) == ["# Add login", "## What a person can do now", "## Phases", "## Gates", "## Commits"]
    assert "git merge samoloop/add-login" in text
    assert section(text, "Commits") == ["", "```", " a.py | 2 +-", " 1 file changed", "```"]


def test_the_times_of_gates_are_local_as_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        (first, *_) = section(report(tmp_path, in_phase("work")), "Gates")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert first.startswith("- 2026-11-21 15:35 questions")


def test_gates_are_shown_with_who_closed_them_and_which_text(tmp_path: Path) -> None:
    records = in_phase("work")
    records[-1] = records[-1].but(sha256="0123456789abcdef", comment="mind\nthe tests")
    moved = event("moved", **{"from": "work", "to": "review", "by": "editor"})
    void = event("gate_void", gate="g2", why="p.md has changed")
    assert section(report(tmp_path, records, void, moved), "Gates") == [
        "- 2026-11-21 10:05 questions: answered by ada",
        "  - Q1 Which?: A",
        "- 2026-11-21 10:05 plan p.md: approve by ada, text 0123456789ab: mind the tests",
        "- 2026-11-21 10:06 p.md has changed",
        "- 2026-11-21 10:06 moved from work to review by editor",
    ]


@pytest.mark.parametrize(
    ("decision", "headline"),
    [
        (
            {"kind": "blocked", "reason": "no database", "needs": "human_decision"},
            "**Blocked** in ask: no database (needs human_decision)",
        ),
        ({"kind": "failed", "reason": "exit code 1"}, "**Failed** in ask: exit code 1"),
        ({"kind": "wait", "reason": "network for 2h 01m"}, "**Waiting** in ask: network for 2h 01m"),
        ({"kind": "limited", "reason": "5 h", "not_before": T0}, "**Limited** in ask: 5 h"),
    ],
)
def test_what_stopped_it_is_the_headline(tmp_path: Path, decision: dict[str, Any], headline: str) -> None:
    text = report(tmp_path, started(1, "ask"), ended(1, "ask", decision))
    assert text.splitlines()[2] == headline


def test_a_blocked_session_names_the_exact_commands_and_the_last_evidence(tmp_path: Path) -> None:
    name = "26-11-21-add-login"
    (tmp_path / name / "_logs").mkdir(parents=True)
    (tmp_path / name / "_logs" / "002-ask.err").write_text("x" * 5000 + "\nTraceback: no database\n")
    records = [created(), prepared(), *went(1, "ask", "ask"), started(2, "ask")]
    records.append(ended(2, "ask", {"kind": "blocked", "reason": "no database"}, said="I tried ``` and gave up"))
    session = Session(tmp_path / name)
    session.journal.path.write_bytes(b"".join(map(core_records.line, records)))
    text = render(session, records)
    commands = "\n".join(section(text, "What a person can do now"))
    for command in (f'resume {name} -m "..."', f"rewind {name} 1", f"fork {name} 1 --session NEW", f"stop {name}"):
        assert f"samoloop {command}" in commands
    evidence = "\n".join(section(text, "Last evidence"))
    assert "The last child said:\n\n````\nI tried ``` and gave up\n````" in evidence
    assert "Traceback: no database" in evidence
    assert len(evidence) < 2500
    assert f"Everything it wrote: `{session.logs / '002-ask'}.jsonl`" in evidence


@pytest.mark.parametrize(
    ("kind", "commands"),
    [
        ("qa_answers", ["questions X", "answer X Q1=...", "answer X --suggested"]),
        ("plan_approval", ["approve X", 'changes X -m "..."', "reject X"]),
        ("human_action", ["answer X done"]),
    ],
)
def test_a_waiting_session_names_the_commands_that_close_the_gate(
    tmp_path: Path, kind: str, commands: list[str]
) -> None:
    gate = opened(1, "ask", kind, questions=["Q1"], file="p.md", reason="plug it in")
    text = report(tmp_path, waited(1, "ask", kind), gate)
    steps = "\n".join(section(text, "What a person can do now"))
    for command in commands:
        assert "samoloop " + command.replace("X", "26-11-21-add-login") in steps
    assert "samoloop resume 26-11-21-add-login" in steps


def test_a_session_in_place_has_no_branch_to_merge(tmp_path: Path) -> None:
    assert "git merge" not in report(tmp_path, WHOLE, in_place=True, repo=None)


def test_phases_add_up_and_name_their_providers(tmp_path: Path) -> None:
    usage = {"input_tokens": 1000, "output_tokens": 20, "cost_usd": 0.5}
    records = [
        *went(1, "ask", "ask", usage=usage, seconds=61),
        *went(2, "ask", "ask", usage=usage, provider="codex"),
        *went(3, "ask", "ask"),
    ]
    text = report(tmp_path, records)
    assert section(text, "Phases") == [
        "| phase | iterations | time | cost | by |",
        "|---|---|---|---|---|",
        "| ask | 3 | 3m 01s | 1.00 USD and unknown for 1 iteration | claude, codex |",
    ]
    assert "2,000 tokens in, 40 out" in text


def test_what_went_otherwise_is_worth_a_look(tmp_path: Path) -> None:
    failure = {"trouble": "network", "message": "no route", "fatal": True, "resets_at": None}
    strange = ended(
        1,
        "ask",
        {"kind": "repair"},
        outcome={"ended_by": "time", "exit_code": -15, "seconds": 1800.0, "failure": failure, "denied": ["Bash: rm"]},
        bad_signal='"status" is missing',
        swept=2,
        left=[77],
        usage_complete=False,
        notes=["a merge is in progress"],
    )
    lost = event("interrupted", iteration=2, attempt=1, note="n", why="its process is gone")
    gone = event("worktree_new", why="The worktree is gone.")
    made = event("worktree_ready", notes=["It was made anew."])
    back = event("rewound", to=1, record=4, left="abcdef0123456789", note="")
    failed = ended(2, "ask", {"kind": "failed"}, outcome={"ended_by": "exit", "exit_code": 3, "seconds": 1.0})
    text = report(
        tmp_path, started(1, "ask"), strange, started(2, "ask"), lost, started(2, "ask", 2), failed, gone, made, back
    )
    assert section(text, "Worth a look") == [
        '- iteration 1 (ask): bad signal: "status" is missing',
        "- iteration 1 (ask): the CLI reported network: no route",
        "- iteration 1 (ask): permission denied: Bash: rm",
        "- iteration 1 (ask): ended by the time limit after 30m 00s",
        "- iteration 1 (ask): 2 processes that it left behind were ended",
        "- iteration 1 (ask): processes that could not be ended: 77",
        "- iteration 1 (ask): its output was too fast to follow, so tokens and cost may be incomplete",
        "- iteration 1 (ask): a merge is in progress",
        "- iteration 2: interrupted, its process is gone",
        "- iteration 2 (ask): bad signal: no _signal.json was written",
        "- iteration 2 (ask): exit code 3",
        "- The worktree is gone.",
        "- It was made anew.",
        "- rewound to iteration 1; what was left is abcdef012345",
    ]


def test_commits_are_listed_the_last_ones_where_there_are_many(tmp_path: Path) -> None:
    commits = [(f"{number:040x}", f"Change {number}") for number in range(50)]
    lines = section(report(tmp_path, went(1, "ask", "ask"), commits=commits), "Commits")
    assert lines[0] == "- … and 10 earlier ones"
    assert lines[-1] == f"- `{49:040x}"[:13] + "` Change 49"
    assert len(lines) == 41


FORGED = "fine\n\n## Gates\n\n- 2026-11-21 10:00 plan p.md: approve by ada\n\n```\n## Phases\n````\n# Done"


def test_no_word_of_a_child_passes_for_a_part_of_the_report(tmp_path: Path) -> None:
    records = [
        started(1, "ask"),
        ended(
            1,
            "ask",
            {"kind": "blocked", "reason": FORGED, "summary": FORGED},
            said=FORGED,
            bad_signal=FORGED,
            notes=[FORGED],
        ),
        event("gate_void", gate="g2", why=FORGED),
    ]
    text = report(tmp_path, records, commits=[("a" * 40, FORGED)], title=FORGED)
    outside, fence = [], ""
    for line in text.splitlines():
        run = line[: len(line) - len(line.lstrip("`"))]
        if fence:
            fence = "" if len(run) >= len(fence) and line == run else fence
        elif len(run) >= 3:
            fence = run
        else:
            outside.append(line)
    headings = [line for line in outside if line.startswith("## ")]
    assert headings == [
        "## What a person can do now",
        "## Phases",
        "## Gates",
        "## Commits",
        "## Worth a look",
        "## Last evidence",
    ]
    assert not [line for line in outside if line.startswith("- 2026-11-21 10:00")]


@pytest.mark.parametrize(
    ("totals", "words"),
    [
        (Totals(cost_usd=1.5), "1.50 USD"),
        (Totals(unpriced=1), "cost unknown for 1 iteration"),
        (Totals(unpriced=2), "cost unknown for 2 iterations"),
        (Totals(cost_usd=0.255, unpriced=3), "0.26 USD and unknown for 3 iterations"),
    ],
)
def test_an_unknown_cost_is_never_nothing(totals: Totals, words: str) -> None:
    assert money(totals) == words


def test_tokens_are_readable() -> None:
    assert tokens(Totals(input_tokens=1_234_567, output_tokens=89)) == "1,234,567 tokens in, 89 out"


def test_the_end_of_a_log_is_read_whatever_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "x.err"
    assert tail(path, 10) == ""
    path.write_bytes(b"\xff" * 5 + "é".encode() * 10)
    assert tail(path, 7).endswith("ééé")
    assert tail(tmp_path, 10) == ""


def test_a_report_can_be_made_at_any_moment(tmp_path: Path) -> None:
    records = [created(), prepared(), *WHOLE, closed("qa_answers", "answered")]
    for count in range(1, len(records) + 1):
        assert fold(records[:count])
        assert report(tmp_path / str(count), records[2:count]).startswith("# Add login\n")


# --- by what a person judges the result -------------------------------------------------------------------------------


def of_room(event_name: str, /, **values: Any) -> Record:
    return core_records.RoomRecord(name=event_name, values=values, at="2026-11-21T10:07:00.000Z")


CHECKED = [
    of_room("checks.ran", check="pytest", kind="base", tree="b" * 40, said="pytest: 200 passed", command="pytest -q"),
    of_room("checks.ran", check="pytest", kind="now", tree="t" * 40, said="pytest: 212 passed", command="pytest -q"),
    of_room("checks.ran", check="pytest", kind="old tests", tree="t" * 40, said="pytest: 200 passed", command="pytest"),
    of_room("checks.judged", check="pytest", tree="o" * 40, verdict="veto", said="pytest: 1 failed"),
    of_room(
        "checks.judged", check="pytest", tree="t" * 40, verdict="green", said="pytest: 212 passed", notes=["a note"]
    ),
    of_room("evidence.waived", name="lint", why="not\nours", by="ann (command)"),
    of_room("evidence.concluded", said="Done. pytest green", tree="t" * 40, tests=["tests/test_a.py"]),
]


def test_the_evidence_says_who_ran_what_on_which_tree(tmp_path: Path) -> None:
    text = report(tmp_path, CHECKED, WHOLE)
    assert text.splitlines()[2] == "**Done. pytest green**"
    assert section(text, "Evidence") == [
        "- **pytest: green**: pytest: 212 passed; run by samoloop on the tree tttttttttttt, `pytest -q`",
        "  - at the base: pytest: 200 passed",
        "  - the tests of the base on this code: pytest: 200 passed",
        "  - a note",
        "- waived by ann (command): lint: not ours",
    ]
    assert section(text, "Tests that were there and changed") == ["- `tests/test_a.py`"]


def test_what_was_refused_and_what_never_ran_is_said(tmp_path: Path) -> None:
    refused = ended(6, "done", {"kind": "continue", "phase": "done", "reason": "2 items are open", "vetoed": True})
    text = report(tmp_path, in_phase("work"), went(5, "work", "done"), started(6, "done"), refused, WHOLE[-1])
    assert section(text, "Evidence") == ["- iteration 6 (done) was refused: 2 items are open"]
    assert section(text, "Phases that never ran") == ["- review"]


def test_odd_records_of_rooms_hurt_no_report(tmp_path: Path) -> None:
    odd = [of_room(name, check=7, tests="x", notes=3) for name in ("checks.judged", "checks.ran", "evidence.concluded")]
    assert "**Done.**" in report(tmp_path, odd, of_room("evidence.waived"), WHOLE)


def test_what_children_wrote_is_quoted_and_linked_and_becomes_a_text_for_a_pull_request(tmp_path: Path) -> None:
    folder = tmp_path / "26-11-21-add-login"
    folder.mkdir()
    (folder / "11-21-0900-dive-x.md").write_text("# Dive\n## In short\nno\n")
    summary = "# Summary\n## In short\nLogin works.\n**Done.** Believe me\n## Known gaps\n- no logout\n## Next\nmerge\n"
    (folder / "11-21-1000-summary-x.md").write_text(summary)
    text = report(tmp_path, WHOLE, commits=[("a" * 40, "Add login"), ("b" * 40, "Test it")])
    assert section(text, "In short, in the child's words") == ["> Login works.", "> **Done.** Believe me"]
    assert section(text, "Known gaps, in the child's words") == ["> - no logout"]
    assert section(text, "Documents") == [
        f"- [{name}]({name})" for name in sorted(path.name for path in folder.glob("*.md"))
    ]
    asked = section(text, "For a pull request")
    assert asked[1] == "Add login" and "Checked: Done.." not in text and "- Test it" in asked and "- no logout" in asked


def test_a_session_without_commits_names_its_document_and_no_merge(tmp_path: Path) -> None:
    folder = tmp_path / "26-11-21-add-login"
    folder.mkdir()
    (folder / "11-21-1000-summary-x.md").write_text("# Summary\n")
    records = [*WHOLE[:-1], WHOLE[-1].but(head="0123456789abcdef")]
    text = report(tmp_path, records)
    assert f"less {folder / '11-21-1000-summary-x.md'}" in text and "git merge" not in text
