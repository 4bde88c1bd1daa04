"""What sessions cost and where their time went: what is counted, to which day it belongs, and what is left out."""

import json
import lzma
import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from kit import full_disk, samoloop, scripted_project
from records import SMALL, T0, at, closed, created, ended, event, opened, prepared, started, waited, went

from samoloop.api import stats as stats_module
from samoloop.api.figures import Entry, Figures, figures
from samoloop.api.stats import Stats, gather, summed
from samoloop.core.control import place_of
from samoloop.core.journal import Journal
from samoloop.core.records import Record, read
from samoloop.core.state import fold
from samoloop.ui.terminal.stats_text import stats_lines

NOON = T0 + 2 * 3600


def counted(*parts: Record | list[Record], **said: object) -> Stats:
    history = [created(SMALL, **said), prepared("ask")]
    for part in parts:
        history += part if isinstance(part, list) else [part]
    return summed([figures(history)], None, NOON, UTC)


def judged(check: str, verdict: str, minutes: float = 2.5) -> Record:
    return read({"event": "checks.judged", "at": at(minutes), "check": check, "verdict": verdict, "tree": "t"})


def test_money_is_counted_as_status_counts_it():
    done = {"kind": "continue", "phase": "ask"}
    found = counted(
        [started(1, "ask"), ended(1, "ask", done, usage={"cost_usd": 0.5, "input_tokens": 7})],
        [started(2, "ask"), ended(2, "ask", done, usage={"cost_usd": 0.25, "virtual": True})],
        [started(3, "ask"), ended(3, "ask", done)],
    )
    row = found.totals
    assert (row["cost_usd"], row["virtual_usd"], row["unpriced"], row["input_tokens"]) == (0.5, 0.25, 1, 7)
    assert (row["iterations"], row["worked_seconds"], row["sessions"]) == (3, 180, 1)


def test_another_attempt_is_paid_for_and_is_no_other_iteration():
    retry = {"kind": "retry", "phase": "ask"}
    found = counted(
        [started(1, "ask"), ended(1, "ask", retry, usage={"cost_usd": 1.0})],
        [
            started(1, "ask", 2),
            ended(1, "ask", {"kind": "continue", "phase": "ask"}, attempt=2, usage={"cost_usd": 1.0}),
        ],
    )
    assert (found.totals["iterations"], found.totals["cost_usd"]) == (1, 2.0)


def test_a_gate_that_is_open_waits_for_a_person_until_it_is_closed():
    asked = [*waited(1, "ask", "qa_answers"), opened(1, "ask", "qa_answers", questions=["Q1"])]
    found = counted(asked, closed("qa_answers", "answered"))
    assert found.totals["waited_seconds"] == 120  # from the third minute, when the child ended, to the fifth
    assert found.phases["ask"]["waited_seconds"] == 120 and found.waiting_now == 0
    still = counted(asked)
    assert still.totals["waited_seconds"] == 0
    assert (still.waiting_now, still.waiting_now_seconds) == (1, NOON - T0 - 180)


def test_blocked_waits_for_a_person_and_a_limit_for_none():
    blocked = [started(1, "ask"), ended(1, "ask", {"kind": "blocked", "reason": "no key"}), event("resumed", 13)]
    assert counted(blocked).totals["waited_seconds"] == 600
    limited = {"kind": "limited", "phase": "ask", "not_before": T0 + 900}
    slept = [started(1, "ask"), ended(1, "ask", limited), started(1, "ask", 2, minutes=15)]
    found = counted(slept)
    assert (found.totals["limited_seconds"], found.totals["waited_seconds"]) == (720, 0)


def test_who_was_put_away_waits_no_more():
    blocked = [started(1, "ask"), ended(1, "ask", {"kind": "blocked", "reason": "no key"}), event("archived", 13)]
    found = counted(blocked)
    assert (found.totals["waited_seconds"], found.waiting_now) == (600, 0)


def test_the_first_verdict_on_each_check_counts():
    found = counted(
        started(1, "ask"), judged("pytest", "veto"), judged("lint", "red before"), judged("lint", "green"),
        ended(1, "ask", {"kind": "continue", "phase": "ask", "vetoed": True}),
        started(2, "ask"), judged("pytest", "green", 4), judged("lint", "veto", 4),
    )  # fmt: skip
    assert (found.totals["checks"], found.totals["checks_first_try"], found.totals["vetoes"]) == (2, 1, 1)
    assert found.providers["claude"]["checks"] == 2


def test_what_a_fork_took_over_counts_where_it_was_forked_from():
    parent = {"session": "26-11-21-add-login", "iteration": 1, "checkpoint": "c"}
    usage = {"cost_usd": 1.0}
    found = counted(
        went(1, "ask", "plan", usage=usage),
        event("worktree_new", 20, why="a fork"),
        [started(2, "plan", minutes=21), ended(2, "plan", {"kind": "continue", "phase": "plan"}, usage=usage)],
        parent=parent,
    )
    assert (found.totals["iterations"], found.totals["cost_usd"]) == (1, 1.0)


def test_what_a_rewind_left_was_paid_for():
    first = went(1, "ask", "plan", usage={"cost_usd": 1.0})
    back = event("rewound", 10, to=0, record=2)
    found = counted(first, back, went(2, "ask", "plan", usage={"cost_usd": 1.0}))
    assert (found.totals["iterations"], found.totals["cost_usd"]) == (2, 2.0)


def of(*entries: Entry, updated: float = NOON, since: float | None = None) -> Figures:
    return Figures("/p", "small", "done", updated, since, entries)


def test_a_day_is_a_local_one_and_time_is_divided_at_midnight():
    berlin = ZoneInfo("Europe/Berlin")
    half_past_one = datetime(2026, 11, 21, 0, 30, tzinfo=UTC).timestamp()  # 01:30 in Berlin
    one = of(Entry(half_past_one, "ask", "claude", {"worked_seconds": 7200, "cost_usd": 2.0}))
    found = summed([one], None, NOON, berlin)
    assert {day: row["worked_seconds"] for day, row in found.days.items()} == {
        "2026-11-20": pytest.approx(1800), "2026-11-21": pytest.approx(5400),
    }  # fmt: skip
    assert found.days["2026-11-21"]["cost_usd"] == 2.0 and found.totals["sessions"] == 1
    assert summed([one], None, NOON, UTC).days["2026-11-21"]["worked_seconds"] == pytest.approx(1800)


def test_the_day_of_a_change_of_the_clock_is_as_long_as_it_was():
    berlin = ZoneInfo("Europe/Berlin")
    end = datetime(2026, 10, 26, 12, 0, tzinfo=berlin).timestamp()
    week = of(Entry(end, "ask", "", {"waited_seconds": 4 * 86400}), updated=end)
    found = summed([week], None, end, berlin)
    assert found.days["2026-10-25"]["waited_seconds"] == pytest.approx(25 * 3600)
    assert found.totals["waited_seconds"] == pytest.approx(4 * 86400)


def test_only_the_last_days_count_today_included():
    late = Entry(NOON, "ask", "claude", {"iterations": 1})
    early = Entry(NOON - 86400, "ask", "claude", {"iterations": 1})
    found = summed([of(early, late), of(early, updated=NOON - 86400)], 1, NOON, UTC)
    assert (found.totals["iterations"], found.conditions["done"], found.since) == (1, 1, "2026-11-21")
    assert summed([of(early, late)], 2, NOON, UTC).totals["iterations"] == 2


def test_a_time_that_is_none_is_left_out():
    strange = [Entry(at, "ask", "claude", {"iterations": 1}) for at in (1e300, -1e300)]
    assert summed([of(*strange)], None, NOON, UTC).totals["iterations"] == 0
    wide = of(Entry(NOON, "ask", "", {"waited_seconds": 1e18}))
    assert len(summed([wide], None, NOON, UTC).days) <= 4001


@pytest.mark.slow
def test_the_sums_of_old_journals_are_those_that_status_shows(tmp_path: Path):
    seen = 0
    with lzma.open(Path(__file__).parent / "fixtures" / "journals" / "v1" / "v1.jsonl.xz") as lines:
        for line in lines:
            journal = tmp_path / "journal"
            journal.write_text(json.loads(line)["journal"])
            history = Journal(journal).read()
            totals, found = fold(history).totals, summed([figures(history)], None, NOON, UTC).totals
            if history[0].parent:
                continue
            seen += 1
            assert (found["iterations"], found["unpriced"]) == (totals.iterations, totals.unpriced)
            assert found["cost_usd"] == pytest.approx(totals.cost_usd)
            assert found["worked_seconds"] == pytest.approx(totals.seconds)
    assert seen > 20


# --- gathered from disk ---------------------------------------------------------------------------------------------


def lay(root: Path, name: str, *records: Record) -> Path:
    """A session folder with this journal; returns the journal's path."""
    folder = root / "_sessions" / name
    folder.mkdir(parents=True)
    control = place_of(folder)
    control.mkdir(parents=True)
    journal = Journal(control / "_history.jsonl")
    for record in (created(root=str(root), session=name), prepared("ask"), *records):
        journal.append(record)
    (folder / "_history.jsonl").symlink_to(journal.path)
    return journal.path


def sums(root: Path) -> Stats:
    return gather(os.environ, [root], lambda known: summed(known, None, NOON, UTC))


def test_a_session_is_read_again_only_when_its_journal_has_changed(root: Path, monkeypatch: pytest.MonkeyPatch):
    first, second = (lay(root, name, *went(1, "ask", "plan")) for name in ("26-11-21-a", "26-11-21-b"))
    worked = []
    known = stats_module._worked_out
    monkeypatch.setattr(stats_module, "_worked_out", lambda session: (worked.append(session.name), known(session))[1])
    assert sums(root).totals["iterations"] == 2 and sorted(worked) == ["26-11-21-a", "26-11-21-b"]
    assert sums(root).totals["iterations"] == 2 and len(worked) == 2
    Journal(second).append(started(2, "plan", minutes=9))
    assert sums(root).totals["iterations"] == 3 and worked[2:] == ["26-11-21-b"]
    assert first != second


def test_a_damaged_session_is_counted_as_such_and_nothing_else_of_it(root: Path):
    lay(root, "26-11-21-a", *went(1, "ask", "plan"))
    lay(root, "26-11-21-b", *went(1, "ask", "plan")).write_text("{}\n{}\n")
    lay(root, "26-11-21-c").write_text("")
    found = sums(root)
    assert found.conditions == {"ready": 1, "damaged": 2} and found.totals["iterations"] == 1


@pytest.mark.parametrize("spoil", ["damage", "folder", "version", "delete", "link"])
def test_a_cache_that_cannot_be_used_is_made_anew(root: Path, spoil: str):
    lay(root, "26-11-21-a", *went(1, "ask", "plan"))
    sums(root)
    file = Path(os.environ["HOME"]) / ".local/state/samoloop/stats.db"
    assert file.stat().st_mode & 0o777 == 0o600
    match spoil:
        case "damage":
            file.write_bytes(b"x" * 5000)
        case "folder":
            file.unlink()
            (file / "deep").mkdir(parents=True)
        case "version":
            import sqlite3

            with sqlite3.connect(file) as db:
                db.execute("PRAGMA user_version = 99")
        case "delete":
            file.unlink()
        case "link":
            file.rename(file.with_name("elsewhere"))
            file.symlink_to(file.with_name("elsewhere"))
    assert sums(root).totals["iterations"] == 1
    assert file.is_file() and not file.is_symlink() and file.stat().st_mode & 0o777 == 0o600


def test_without_a_cache_it_takes_longer_and_says_the_same(root: Path):
    lay(root, "26-11-21-a", *went(1, "ask", "plan"))
    file = Path(os.environ["HOME"]) / ".local/state/samoloop/stats.db"
    with full_disk():
        found = sums(root)
    assert found.totals["iterations"] == 1
    assert not file.exists() or file.stat().st_size == 0


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_screen_fits_a_terminal_of_80_columns():
    entries = [
        Entry(NOON - 86400 * day, f"{'phase' * 9}{day}", "claude", {
            "iterations": 12345, "vetoes": 1234, "worked_seconds": 86000, "waited_seconds": 500000,
            "cost_usd": 1234.5, "unpriced": 3, "virtual_usd": 4321.5, "checks": 3, "checks_first_try": 2,
        }) for day in range(30)
    ]  # fmt: skip
    lines = stats_lines(summed([of(*entries, since=NOON - 5)], None, NOON, UTC))
    assert [text for text, _ in lines if len(text) >= 80] == []
    text = "\n".join(text for text, _ in lines)
    assert "60 of 90 (67 %)" in text and "unknown" in text and "virtual" in text


@pytest.mark.slow
def test_the_command_says_what_a_session_came_to(tmp_path: Path):
    root = scripted_project(tmp_path, """signal '{"status": "done", "summary": "all good"}'""")
    assert samoloop(root, "run", "Do it", "--session", "x", "--workflow", "exec").returncode == 0
    shown = samoloop(root, "stats")
    assert shown.returncode == 0 and "1 session: 1 done" in shown.stdout and "cost unknown" in shown.stdout
    found = json.loads(samoloop(root, "stats", "--since", "all", "--project", root.name, "--json").stdout)
    assert found["since"] is None and found["sessions"] == {"done": 1} and found["totals"]["iterations"] == 1
    assert [row["name"] for row in found["workflows"]] == ["exec"] and found["projects"][0]["name"] == str(root)
    for words, said in ((("--since", "0"), "--since '0'"), (("--project", "nowhere"), "there is no project 'nowhere'")):
        refused = samoloop(root, "stats", *words)
        assert refused.returncode == 2 and said in refused.stderr
