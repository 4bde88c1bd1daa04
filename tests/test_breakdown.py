"""A large wish becomes tasks of the backlog: how a list is read, what is refused before that, and who writes."""

import json
from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project

from samoloop.checks.breakdown import MOST, faults, in_order, tasks
from samoloop.config import workflow_files
from samoloop.core.signals import GateKind

LIST = """# Plan: orders
## In short
Two tasks.
## Tasks
- [ ] api: Orders can be listed and added by HTTP
  - After: store
  - Workflow: feature
  - Do: routes in `api.py`, over `Store` of the task store.
    Errors as JSON.

    ```python
    def orders() -> list[Order]: ...
    ```
  - Acceptance: `pytest tests/test_api.py` passes
- [ ] store: Orders are kept
  - After: none
  - Workflow: default
  - Do: `store.py`, class `Store`
  - Acceptance: `pytest tests/test_store.py` passes
## Requirements covered
- R1: store
- [x] a box elsewhere
"""
# Breaks down what it is asked, in one visit a phase.
STEP = "breakdown) cp ../../list 11-21-0900-plan-x.md; plan 11-21-0900-plan-x.md;;"
BREAKER = GOOD_CHILD.replace("planning) echo", f"{STEP}\nplanning) echo").replace("next planning", "next breakdown")


def test_a_list_is_read_with_what_belongs_to_each_task():
    api, store = tasks(LIST)
    assert (api.name, api.after, api.workflow, api.accepted) == ("api", ("store",), "feature", True)
    assert (store.name, store.after, store.workflow, store.accepted) == ("store", (), None, True)
    assert api.text == (
        "Orders can be listed and added by HTTP\n\n"
        "- Do: routes in `api.py`, over `Store` of the task store.\n  Errors as JSON.\n\n"
        "  ```python\n  def orders() -> list[Order]: ...\n  ```\n- Acceptance: `pytest tests/test_api.py` passes\n"
    )
    assert [task.name for task in in_order([api, store])] == ["store", "api"]
    assert faults([api, store], ["feature"], [], {}) == []


def item(name: str, after: str = "none", accepted: str = "- Acceptance: x", workflow: str = "feature") -> str:
    return f"- [ ] {name}: it is so\n  - After: {after}\n  - Workflow: {workflow}\n  {accepted}\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "it has no task"),
        ("- [ ] 1.1 it is so\n", "it has no task"),
        (item("a") + item("a"), "a is there twice"),
        (item("A_b"), "'A_b' is no name"),
        (item("../x"), "'../x' is no name"),
        (item("a", accepted=""), "a has no `Acceptance:`"),
        (item("a", after="b"), "a is after 'b', which is no task"),
        (item("a", workflow="featur"), "a names the workflow 'featur', and there is none"),
        (item("a", after="b") + item("b", after="a"), "it goes in a circle: a → b → a"),
        (item("a", after="a"), "it goes in a circle: a → a"),
        (item("there"), "the backlog has a task there already"),
        ("".join(item(f"a{n}") for n in range(MOST + 1)), f"it has {MOST + 1} tasks"),
    ],
)
def test_what_could_not_become_a_backlog_is_said(text: str, found: str):
    assert found in "; ".join(faults(tasks(text), ["feature"], ["old"], {"there": "another"}))


def test_a_task_waits_for_sessions_and_for_tasks_that_are_there():
    assert faults(tasks(item("a", after="old, there")), ["feature"], ["old"], {"there": "x"}) == []
    [same] = tasks(item("there"))
    assert faults([same], ["feature"], [], {"there": same.text}) == []


def test_a_phase_that_makes_a_backlog_is_approved_and_followed(tmp_path: Path):
    flow = workflow_files.load("breakdown", None)
    assert flow.phase("breakdown").backlog and flow.phase("breakdown").gate is GateKind.PLAN_APPROVAL
    (tmp_path / ".samoloop" / "workflows").mkdir(parents=True)
    own = {
        "name": "own",
        "phases": ["init", "implementation", "done"],
        "overrides": {"implementation": {"backlog": True}},
    }
    (tmp_path / ".samoloop" / "workflows" / "own.yaml").write_text(json.dumps(own))
    with pytest.raises(workflow_files.ConfigError, match="implementation makes a backlog, so it needs the gate"):
        workflow_files.load("own", tmp_path)


def test_a_list_is_not_handed_over_as_a_plan(tmp_path: Path):
    root = scripted_project(tmp_path, BREAKER)
    (root / "list").write_text(LIST)
    done = samoloop(root, "run", "--workflow", "breakdown", "--plan", "list")
    assert done.returncode == 2 and "samoloop run --workflow breakdown --file list" in done.stderr


@pytest.mark.slow
def test_an_approved_list_becomes_files_in_order_and_nothing_before(tmp_path: Path):
    root = scripted_project(tmp_path, BREAKER)
    (root / "list").write_text(LIST)
    words = ["--workflow", "breakdown", "--session", "a", "--no-wait"]
    assert samoloop(root, "run", "Orders", *words).returncode == 3
    samoloop(root, "answer", "a", "Q1=A")
    assert samoloop(root, "resume", "a", "--no-wait").returncode == 3
    assert json.loads(samoloop(root, "backlog", "--json").stdout) == []
    samoloop(root, "approve", "a")
    done = samoloop(root, "resume", "a", "--no-wait")
    assert done.returncode == 0, done.stdout
    assert "2 tasks are in the backlog: store, api" in done.stdout
    rows = json.loads(samoloop(root, "backlog", "--json").stdout)
    assert [(row["name"], row["stands"], row["after"]) for row in rows] == [
        ("store", "ready", []), ("api", "after", ["store"]),
    ]  # fmt: skip
    api = (root / ".samoloop" / "backlog" / "api.md").read_text()
    assert api.startswith(
        '---\nafter: ["store"]\nworkflow: "feature"\n---\nOrders can be listed and added by HTTP\n\n- Do:'
    )
    assert "- `store`\n- `api`" in samoloop(root, "report", "a").stdout


@pytest.mark.slow
def test_a_list_that_cannot_be_used_reaches_no_person_and_an_approval_makes_it_once(tmp_path: Path):
    """The child's first list has a circle; it is told so, and mends it. A task is there already when it is approved."""
    breaks = '[ $SAMOLOOP_ITERATION != 4 ] || sed -i "s/After: none/After: api/" 11-21-0900-plan-x.md;'
    root = scripted_project(tmp_path, BREAKER.replace("plan-x.md; plan 11", f"plan-x.md; {breaks} plan 11"))
    (root / "list").write_text(LIST)
    run = samoloop(root, "run", "Orders", "--workflow", "breakdown", "--session", "a", "--yes", "--until", "breakdown")
    assert "cannot become a backlog: it goes in a circle" in run.stdout
    assert run.returncode == 0 and json.loads(samoloop(root, "backlog", "--json").stdout) == []
    samoloop(root, "add", "Something else", "--name", "api")
    refused = samoloop(root, "resume", "a", "--no-wait")
    assert refused.returncode == 5 and "api of the approved list cannot be put into the backlog" in refused.stdout
    samoloop(root, "backlog", "drop", "api")
    assert samoloop(root, "resume", "a", "--no-wait").returncode == 0
    assert {row["name"] for row in json.loads(samoloop(root, "backlog", "--json").stdout)} == {"store", "api"}
