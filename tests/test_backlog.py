"""The backlog: what a file says, how a task stands, in which order, and when a schedule comes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samoloop.config import task_files
from samoloop.config.project import BACKLOG
from samoloop.core import backlog, schedule
from samoloop.core.backlog import Run, Standing, Task
from samoloop.core.decision import Condition
from samoloop.ui.terminal.backlog_tree import tree
from samoloop.ui.terminal.live_block import cells

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 29, 20, tzinfo=BERLIN).timestamp()


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


def write(root: Path, **files: str) -> None:
    (root / BACKLOG).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / BACKLOG / f"{name}.md").write_text(content)


def stand(*tasks: Task, now: float = NOW, **runs: Run) -> dict[str, backlog.Stands]:
    named = {task.name: task for task in tasks}
    found = backlog.stand(named, {}, runs, lambda name: backlog.unknown(name, named), now, BERLIN)
    return {one.name: one for one in found}


def words(*tasks: Task, now: float = NOW, **runs: Run) -> dict[str, str]:
    return {name: str(one.standing) for name, one in stand(*tasks, now=now, **runs).items()}


def task(name: str, *after: str, **more: object) -> Task:
    return Task(name, f"Do {name}", after, **more)  # type: ignore[arg-type]


DONE = Run("s", Condition.DONE, over=True)


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_without_front_matter_is_a_task(tmp_path):
    write(tmp_path, auth="Add JWT auth\n\nWith tests.\n")
    found = task_files.read(tmp_path, BERLIN)
    assert found.faults == {} and found.tasks["auth"].text == "Add JWT auth\n\nWith tests.\n"


def test_all_keys_are_read(tmp_path):
    write(
        tmp_path,
        auth="---\nafter: [store, users.md]\npriority: 2\nat: 2026-12-01 02:00:00\nevery: 0 3 * * 1-5\nworkflow: fix\n"
        "provider: codex\nbase: fetch\nfinish: pr\nceilings: {cost: 5, wall: 2h}\nhold: true\n---\nAdd it\n",
    )
    found = task_files.read(tmp_path, BERLIN).tasks["auth"]
    assert found.after == ("store", "users") and found.priority == 2 and found.at == at("2026-12-01 02:00")
    assert (found.workflow, found.provider, found.base, found.finish) == ("fix", "codex", "fetch", "pr")
    assert found.ceilings == {"cost": 5, "wall": "2h"} and found.hold and found.every == "0 3 * * 1-5"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "there is no task in it"),
        ("---\nafter: [a]\n---\n\n", "there is no task in it"),
        ("---\nafter: [a]\nAdd it", "its front matter has no end"),
        ("---\nafter: [a\n---\nAdd it", "auth.md:"),
        ("---\npriority: 1\nafte: a\n---\nAdd it", "auth.md:3: afte: unknown key (did you mean after?)"),
        ("---\nat: 17:30\n---\nAdd it", "auth.md:2: at: a time is a day and an hour"),
        ("---\nat: soon\n---\nAdd it", "auth.md:2: at: a time is a day and an hour"),
        ("---\nevery: 0 0 30 2 *\n---\nAdd it", "auth.md:2: every: '0 0 30 2 *' never comes"),
        ("---\nevery: 61 * * * *\n---\nAdd it", "bad minute"),
        ("---\nevery: often\n---\nAdd it", "a schedule is five fields"),
        ("---\npriority: high\n---\nAdd it", "auth.md:2: priority: it must be a whole number"),
        ("---\nfinish: merge\n---\nAdd it", "it must be one of none, push, pr"),
        ("---\nceilings: {cost: -1}\n---\nAdd it", "cost: it must be an amount in USD above 0"),
        ("---\nhold: 1\nhold: 2\n---\nAdd it", "the key 'hold' is there twice"),
        (b"Add \xff\n", "it is not UTF-8 text: line 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_place(tmp_path, content, said):
    write(tmp_path)
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / BACKLOG / "auth.md").write_bytes(data)
    found = task_files.read(tmp_path, BERLIN)
    assert found.tasks == {} and said in found.faults["auth"] and found.faults["auth"].startswith("auth.md")


def test_what_is_no_task_is_no_task_and_links_are_not_followed(tmp_path):
    write(tmp_path, auth="Add it")
    folder = tmp_path / BACKLOG
    for name in (".auth.md.swp", ".hidden.md", "auth.md~", "notes.txt"):
        (folder / name).write_text("x")
    (tmp_path / "secret").write_text("the secret")
    (folder / "key.md").symlink_to(tmp_path / "secret")
    (folder / "dropped").mkdir()
    found = task_files.read(tmp_path, BERLIN)
    assert list(found.tasks) == ["auth"] and found.faults == {"key": "key.md: key.md is a link"}


def test_names_that_differ_in_case_alone_are_refused_and_odd_names_too(tmp_path):
    write(tmp_path, auth="Add it", Auth="Add it", **{"-x": "Add it"})
    found = task_files.read(tmp_path, BERLIN)
    assert found.tasks == {} and "differ in case alone" in found.faults["auth"] and "name" in found.faults["-x"]


def test_a_key_is_changed_and_all_else_stays():
    content = "---\n# mine\nafter: [a]  # why\npriority: 1\n---\nAdd it\n\n---\nmore\n"
    changed = task_files.with_key(content, "priority", 3)
    assert changed == "---\n# mine\nafter: [a]  # why\npriority: 3\n---\nAdd it\n\n---\nmore\n"
    assert task_files.with_key("Add it\n", "hold", True) == "---\nhold: true\n---\nAdd it\n"
    assert task_files.with_key("---\nhold: true\n---\nAdd it\n", "hold", None) == "Add it\n"


@given(
    st.lists(st.from_regex(r"[a-z]{1,5}", fullmatch=True), unique=True, max_size=3),
    st.integers(-5, 5),
    st.sampled_from(["none", "push", "pr", None]),
    st.text(min_size=1).filter(lambda text: text.strip() and "\r" not in text and "\0" not in text),
)
def test_what_is_written_is_read_again(after, priority, finish, text):
    text = text.encode(errors="ignore").decode() or "x"
    if not text.strip():
        return
    content = task_files.written(text, {"after": tuple(after), "priority": priority or None, "finish": finish})
    found = task_files.parse("auth", content, BERLIN)
    assert (found.after, found.priority, found.finish) == (tuple(after), priority, finish)
    assert found.text.strip() == text.strip()


# --- how a task stands ------------------------------------------------------------------------------------------------


def test_a_dependent_waits_until_the_one_before_it_is_done():
    chain = task("a"), task("b", "a"), task("c", "b")
    assert words(*chain) == {"a": "ready", "b": "after", "c": "after"}
    assert words(*chain, a=Run("s", Condition.RUNNING)) == {"a": "runs", "b": "after", "c": "after"}
    assert words(*chain, a=Run("s", Condition.DONE)) == {"a": "runs", "b": "after", "c": "after"}  # not at rest yet
    assert words(*chain, a=DONE) == {"a": "done", "b": "ready", "c": "after"}


@pytest.mark.parametrize("condition", [Condition.BLOCKED, Condition.FAILED, Condition.STOPPED])
def test_one_that_does_not_go_on_holds_all_that_wait_for_it_and_names_them(condition):
    found = stand(task("a"), task("b", "a"), task("c", "b"), task("d"), a=Run("s", condition, why="no login"))
    assert found["a"].standing is Standing.WAITS and found["a"].why == f"{condition}: no login"
    assert found["a"].holds == ("b", "c") and found["b"].why == f"a is {condition}"
    assert [found[name].standing for name in "bcd"] == [Standing.HELD, Standing.HELD, Standing.READY]


def test_a_cycle_is_wrong_and_what_waits_for_it_is_held():
    found = stand(task("a", "b"), task("b", "a"), task("c", "c"), task("d", "a"), task("e"))
    assert found["a"].why == "it waits for itself: a → b → a" and found["c"].why == "it waits for itself: c → c"
    assert found["b"].why == "it waits for itself: b → a → b"
    assert words(task("a", "b"), task("b", "a"), task("d", "a"))["d"] == "held"


def test_an_unknown_name_is_wrong_and_the_likely_one_is_named():
    found = stand(task("store"), task("api", "stor"), task("ui", "api"))
    assert found["api"].standing is Standing.WRONG and "did you mean store?" in found["api"].why
    assert found["ui"].standing is Standing.HELD and found["api"].holds == ("ui",)


def test_hold_and_time_and_a_gate():
    assert words(task("a", hold=True), task("b", "a")) == {"a": "held", "b": "held"}
    assert words(task("a", at=NOW + 1)) == {"a": "later"} and words(task("a", at=NOW)) == {"a": "ready"}
    gate = Run("s", Condition.WAITING, why="waits for answers to Q1")
    assert words(task("a"), task("b", "a"), a=gate) == {"a": "waits", "b": "after"}
    assert words(task("a", hold=True), a=Run("s", Condition.RUNNING)) == {"a": "runs"}  # it goes on


def test_of_several_sessions_one_that_is_done_counts_else_the_newest_and_of_a_schedule_the_last_time():
    first, second = Run("s", Condition.BLOCKED), Run("s-2", Condition.READY)
    assert backlog.counts([first, second]) is second
    done = Run("s", Condition.DONE, over=True)
    assert backlog.counts([done, second]) is done
    tonight = Run("t", Condition.BLOCKED, due=2.0)
    assert backlog.counts([Run("s", Condition.DONE, over=True, due=1.0), tonight]) is tonight
    assert backlog.counts([]) is None


def test_ready_ones_start_by_priority_then_age():
    found = stand(
        task("old", written=1), task("new", written=2), task("first", written=3, priority=1), task("z", "old")
    )
    assert [one.name for one in backlog.ready(found.values())] == ["first", "old", "new"]


def rows_of(found: dict[str, backlog.Stands]) -> list[dict[str, object]]:
    return [
        {"name": one.name, "stands": one.standing, "why": one.why, "priority": 0, "holds": one.holds}
        | {"after": one.task.after if one.task else (), "at": None, "edited": False}
        | {"machine": one.machine, "fleet": False, "needs": (), "session": None}
        for one in found.values()
    ]


def test_a_long_chain_is_no_harder_than_a_short_one():
    chain = [task("t0"), *(task(f"t{number}", f"t{number - 1}") for number in range(1, 2000))]
    found = stand(*chain, t0=Run("s", Condition.BLOCKED, why="no login"))
    assert len(found["t0"].holds) == 1999 and found["t1999"].standing is Standing.HELD
    assert found["t1"].holds == ()  # that they wait is said once, of what they wait for
    lines = tree(rows_of(found), datetime.now(UTC), 80)
    assert len(lines) > 2000 and max(cells(line) for line, _ in lines) <= 80


@pytest.mark.parametrize("width", [30, 40, 80, 120])
def test_the_tree_fits_its_terminal(width):
    long = "a" * 60
    found = stand(task(long), task("b", long), task("c", "nothing"), task("d", "b", long, hold=True), task("e", "d"))
    lines = tree(rows_of(found), datetime.now(UTC), width)
    assert max(cells(line) for line, _ in lines) <= width and len(lines) >= 5


GRAPHS = st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=10)
STATES = st.sampled_from([None, *(Run("s", condition) for condition in Condition), DONE])


@settings(max_examples=200)
@given(GRAPHS, st.lists(STATES, min_size=10, max_size=10))
def test_nothing_starts_before_all_that_it_waits_for_is_done_and_every_task_stands_somehow(graph, states):
    tasks = [task(f"t{n}", *(f"t{other % len(graph)}" for other in after)) for n, after in enumerate(graph)]
    runs = {one.name: run for one, run in zip(tasks, states, strict=False) if run}
    found = stand(*tasks, **runs)
    assert found.keys() == {one.name for one in tasks}
    for one in tasks:
        if found[one.name].standing is Standing.READY:
            assert all(runs[name].over for name in one.after) and one.name not in runs
        if found[one.name].standing is Standing.HELD:
            assert any(one.name in other.holds for other in found.values())


@given(GRAPHS)
def test_an_order_has_each_after_those_that_it_waits_for_and_cycles_are_found(graph):
    tasks = {f"t{n}": task(f"t{n}", *(f"t{other % len(graph)}" for other in after)) for n, after in enumerate(graph)}
    around = backlog.cycles(tasks)
    for name, way in around.items():
        assert way[0] == way[-1] == name
        assert all(later in tasks[one].after for one, later in pairwise(way))
    order = backlog.in_order({name: one for name, one in tasks.items() if name not in around})
    assert all(
        order.index(other) < order.index(name) for name in order for other in tasks[name].after if other in order
    )


# --- schedules --------------------------------------------------------------------------------------------------------


def test_a_schedule_comes_once_for_all_the_times_that_were_missed():
    nightly = task("n", every="0 3 * * *", written=at("2026-11-20 12:00"))
    found = stand(nightly)["n"]
    assert found.standing is Standing.READY and found.at == at("2026-11-29 03:00")
    found = stand(nightly, n=Run("s", Condition.DONE, over=True, due=found.at))["n"]
    assert found.standing is Standing.LATER and found.at == at("2026-11-30 03:00")


def test_a_schedule_waits_for_its_last_session_and_does_not_repeat_one_that_is_held():
    nightly = task("n", every="0 3 * * *", written=at("2026-11-20 12:00"))
    due = at("2026-11-28 03:00")
    for condition, word in ((Condition.RUNNING, "runs"), (Condition.BLOCKED, "waits"), (Condition.STOPPED, "ready")):
        assert words(nightly, n=Run("s", condition, due=due)) == {"n": word}


def test_a_time_that_the_clock_leaves_out_comes_after_the_jump_and_one_that_comes_twice_counts_once():
    spring = schedule.upcoming("30 2 * * *", at("2026-03-29 00:00"), BERLIN)
    assert spring == at("2026-03-29 03:00")
    assert schedule.last_due("30 2 * * *", at("2026-03-28 12:00"), spring - 1, BERLIN) is None
    assert schedule.last_due("30 2 * * *", at("2026-03-28 12:00"), spring, BERLIN) == spring
    autumn = schedule.upcoming("30 2 * * *", at("2026-10-25 00:00"), BERLIN)
    assert schedule.upcoming("30 2 * * *", autumn, BERLIN) == at("2026-10-26 02:30")
    assert task_files.moment("2026-03-29 02:30", BERLIN) == at("2026-03-29 03:00")


CRONS = st.sampled_from(["* * * * *", "30 2 * * *", "0 3 * * 1-5", "*/7 * * * *", "0 0 1 * *", "daily", "0 */5 * * *"])
ZONES = st.sampled_from([BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), UTC])
TIMES = st.integers(int(at("2026-01-01")), int(at("2027-12-31")))


@given(CRONS, TIMES, ZONES)
def test_times_of_a_schedule_come_one_after_the_other(cron, start, zone):
    times = [float(start)]
    for _ in range(5):
        times.append(schedule.upcoming(cron, times[-1], zone))
    assert times == sorted(set(times))


@settings(deadline=timedelta(seconds=5))
@given(CRONS, TIMES, st.integers(0, 4 * 24 * 3600), ZONES)
def test_the_last_due_time_is_a_time_and_none_lies_between_it_and_now(cron, since, later, zone):
    now = float(since + later)
    found = schedule.last_due(cron, float(since), now, zone)
    if found is None:
        assert schedule.upcoming(cron, float(since), zone) > now
    else:
        assert since < found <= now < schedule.upcoming(cron, found, zone)
        assert schedule.upcoming(cron, found - 1, zone) == found
