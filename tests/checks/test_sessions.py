"""Whole sessions whose children say that they are done: what a check of the project's own makes of that."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import kit
import pytest
from lab import ADD, PATH, PLANNED, PYTHON, TEST_ADD, Lab, child

from samoloop.checks import examining
from samoloop.checks.receipts import standing
from samoloop.children import sandbox
from samoloop.children.sandbox import NoSandbox
from samoloop.core.decision import Condition
from samoloop.git import notes
from samoloop.git.calls import Git

UNITTEST = "python3 -m unittest discover -v -s tests"
BREAK = "sed -i 's/a + b/a - b/' calc.py"
GROW = "echo 'def one(): return 1' >> calc.py"


def test_a_claim_is_refused_by_a_failing_test_and_the_mended_code_passes(tmp_path):
    """The first try breaks the code and says that all passed; the second, told what failed, mends it."""
    lab = Lab.of(
        tmp_path,
        PYTHON,
        child('if [ "$SAMOLOOP_ITERATION" = 1 ]; then ' + BREAK + "; else sed -i 's/a - b/b + a/' calc.py; fi"),
    )
    done = lab.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(run.kind, run.outcome, run.where) for run in lab.runs] == [
        ("base", "passed", "copy"), ("now", "failed", "copy"), ("now", "passed", "copy"),
    ]  # fmt: skip
    assert [judged.verdict for judged in lab.verdicts] == ["veto", "green"]
    told = (lab.session.logs / "002-exec.prompt.md").read_text()
    assert "AssertionError: -1 != 3" in told, "the next child sees the end of the output"
    assert str(lab.runs[1].log) in told
    assert lab.state.totals.iterations == 2

    branch_tree = kit.git(lab.root, "rev-parse", f"{lab.branch}^{{tree}}")
    assert lab.runs[-1].tree == branch_tree
    assert lab.samoloop("evidence").returncode == 0
    note = notes.read(Git(lab.root / ".git"), kit.git(lab.root, "rev-parse", lab.branch))
    assert "unittest: 1 passed (green)" in note and branch_tree in note
    assert kit.git(lab.root, "status", "--porcelain", "--ignored", "--", "tests") == "", "nothing of a check is left"

    (lab.session.worktree / "calc.py").write_text(ADD + "# another one\n")
    kit.git(lab.session.worktree, "commit", "--quiet", "-am", "After all was checked")
    after = lab.samoloop("evidence", "--json")
    assert after.returncode == 1
    found = json.loads(after.stdout)
    assert not found["checked"] and "not what was checked" in found["sentence"]


def test_a_project_without_tests_is_unchecked_and_done_as_before(tmp_path):
    lab = Lab.of(tmp_path, {"README.md": "# x\n"}, child("echo 1 > new.txt"))
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert lab.runs == [] and lab.standing.why_unchecked.startswith("unchecked: no check was found")
    assert lab.samoloop("evidence").returncode == 1
    assert not list(lab.session.logs.glob("*check*")), "no process was started"


def test_checks_can_be_turned_off(tmp_path):
    lab = Lab.of(tmp_path, PYTHON, child(BREAK), {"checks": "off"})
    assert lab.run().returncode == 0
    assert lab.runs == [] and "off in the settings" in lab.standing.why_unchecked


def test_a_check_of_the_settings_stands_in_the_place_of_what_is_found(tmp_path):
    lint = {"lint": {"command": "! grep -n TODO calc.py"}}
    lab = Lab.of(tmp_path, PYTHON, child(GROW), {"checks": lint})
    assert lab.run().returncode == 0
    assert {run.check for run in lab.runs} == {"lint"}
    assert lab.verdicts[-1].verdict == "succeeded", "it counts no tests, and nobody says that it does"
    assert lab.samoloop("evidence").returncode == 0


def test_where_no_test_runs_any_more_nothing_passed(tmp_path):
    lab = Lab.of(tmp_path, PYTHON, child("git rm -q tests/test_calc.py; " + BREAK))
    assert lab.run().returncode != 0
    assert lab.state.condition is Condition.BLOCKED
    assert lab.verdicts[-1].veto and "at the base it was green" in lab.verdicts[-1].said


RED = TEST_ADD + "\n    def test_red(self):\n        self.assertEqual(add(1, 1), 3)\n"


def test_what_was_red_before_is_held_against_nobody(tmp_path):
    lab = Lab.of(tmp_path, PYTHON | {"tests/test_calc.py": RED}, child(GROW))
    assert lab.run().returncode == 0
    assert lab.verdicts[-1].verdict == "red before"
    assert lab.samoloop("evidence").returncode == 1, "it is not green, and that is not hidden"


def test_a_new_failure_beside_an_old_one_is(tmp_path):
    lab = Lab.of(tmp_path, PYTHON | {"tests/test_calc.py": RED}, child(BREAK))
    assert lab.run().returncode != 0
    assert "these did not fail at the base: test_add" in lab.verdicts[-1].said


def test_what_cannot_be_run_proves_nothing_and_refuses_nothing(tmp_path):
    lab = Lab.of(tmp_path, PYTHON, child(BREAK), {"checks": {"tests": {"command": "no-such-runner"}}})
    assert lab.run().returncode == 0
    assert lab.verdicts[-1].verdict == "unverified"
    assert lab.samoloop("evidence").returncode == 1


@pytest.mark.parametrize("mode", ["off", "auto"])
def test_a_suite_that_hangs_now_is_ended_and_refused(tmp_path, mode):
    slow = "import time, unittest\nclass T(unittest.TestCase):\n    def test_a(self): time.sleep(1000)\n"
    write = f"cat > tests/test_slow.py <<'X'\n{slow}X"
    command = {"command": "python3 -m unittest discover -v -s tests", "limit": "3s"}
    lab = Lab.of(tmp_path, PYTHON, child(write), {"checks": {"tests": command}})
    assert lab.run(SAMOLOOP_SANDBOX=mode).returncode != 0
    assert "did not end within 3.0s" in lab.verdicts[-1].said
    assert len([run for run in lab.runs if run.kind == "now"]) == 1, "it is not run again on the same tree"


def test_a_flaky_suite_is_said_and_counts_as_failed(tmp_path):
    count = tmp_path / "count"
    once = f'echo x >> {count}; [ "$(wc -l < {count})" != 2 ] || exit 1; python3 -m unittest discover -v -s tests'
    lab = Lab.of(tmp_path, PYTHON, child(GROW), {"checks": {"tests": {"command": once}}})
    lab.run()
    flaky = [run for run in lab.runs if run.flaky]
    assert [run.outcome for run in flaky] == ["failed"]
    assert "flaky" in flaky[0].said


@pytest.mark.parametrize("whom", ["$$", "$PPID"], ids=["the shell", "all of it"])
def test_a_suite_that_is_killed_once_is_run_again_and_held_against_nobody(tmp_path, whom):
    count = tmp_path / "count"
    second = f'echo x >> {count}; [ "$(wc -l < {count})" != 2 ]'
    once = f"{second} || kill -9 {whom}; python3 -m unittest discover -v -s tests"
    lab = Lab.of(tmp_path, PYTHON, child(GROW), {"checks": {"tests": {"command": once}}})
    assert lab.run().returncode == 0
    assert [(run.outcome, run.flaky) for run in lab.runs if run.kind == "now"] == [("passed", False)]


def test_a_suite_that_kills_itself_each_time_is_refused(tmp_path):
    once = "[ ! -e grown ] || kill -9 $PPID; python3 -m unittest discover -v -s tests"
    lab = Lab.of(tmp_path, PYTHON, child(f"{GROW}\ntouch grown"), {"checks": {"tests": {"command": once}}})
    assert lab.run().returncode != 0
    assert lab.verdicts[-1].verdict == "veto"
    assert "something killed it" in lab.verdicts[-1].said


@pytest.mark.parametrize("lie", ["Ran 5 tests in 0.1s\\n\\nOK", ""], ids=["fakes a summary", "does nothing"])
def test_a_check_that_a_child_redefines_does_not_pass(tmp_path, lie):
    files = {
        "Makefile": "test:\n\tPYTHONPATH=. python3 -m unittest discover -v -s t -p 'a.py'\n",
        "calc.py": ADD,
        "t/a.py": TEST_ADD,
    }
    redefine = f"{BREAK}; printf 'test:\\n\\t@printf \"{lie}\\\\n\"\\n' > Makefile"
    lab = Lab.of(tmp_path, files, child(redefine))
    assert lab.run().returncode != 0
    assert lab.standing.checks[0].command == "make test"
    assert lab.verdicts[-1].veto and "1 failed" in lab.verdicts[-1].said


def test_an_old_test_that_was_rewritten_is_met_again(tmp_path):
    rewrite = f"{BREAK}; sed -i 's/, 3)/, -1)/' tests/test_calc.py"
    lab = Lab.of(tmp_path, PYTHON | PLANNED, child(rewrite))
    assert lab.run("planned").returncode != 0
    last = lab.verdicts[-1]
    assert last.veto and "tests that were there before fail on the new code: test_add" in last.said
    assert [run.kind for run in lab.runs][:3] == ["base", "now", "old tests"]


def test_an_old_test_that_the_plan_lists_may_change(tmp_path):
    rewrite = f"{BREAK}; sed -i 's/, 3)/, -1)/' tests/test_calc.py"
    plan = "## Tests that will change\n- `tests/test_calc.py`: it subtracts"
    lab = Lab.of(tmp_path, PYTHON | PLANNED, child(rewrite, plan))
    done = lab.run("planned")
    assert done.returncode == 0, done.stdout
    assert lab.verdicts[-1].verdict == "green"


def test_without_a_plan_a_rewritten_test_refuses_nothing_and_the_session_is_not_called_green(tmp_path):
    """Nobody could have listed it, so an honest session would be refused too; whoever reads one line knows of it."""
    lab = Lab.of(tmp_path, PYTHON, child(f"{BREAK}; sed -i 's/, 3)/, -1)/' tests/test_calc.py"))
    assert lab.run().returncode == 0
    assert lab.verdicts[-1].verdict == "old tests rewritten"
    headline = "Done, unittest rests on rewritten tests: as they were before, they fail"
    assert headline in (lab.session.dir / "_report.md").read_text() and headline in lab.samoloop("list").stdout
    evidence = lab.samoloop("evidence")
    assert evidence.returncode == 1 and "They were changed or removed, and nobody approved that" in evidence.stdout


READS = """
    def test_data(self):
        with open("tests/data.bin", "rb") as file:
            self.assertEqual(file.read(), bytes(range(256)))
"""


def test_binary_and_deleted_files_take_part_in_the_swap(tmp_path):
    data = {"tests/test_calc.py": TEST_ADD + READS, "tests/data.bin": bytes(range(256)), "tests/old/x": "x"}
    remove = "git rm -rq tests/data.bin tests/old; sed -i '/test_data/,$d' tests/test_calc.py"
    lab = Lab.of(tmp_path, PYTHON | PLANNED | data, child(f"{remove}; {GROW}"))
    done = lab.run("planned")
    assert done.returncode == 0, done.stdout
    assert [(run.kind, run.passed) for run in lab.runs][:3] == [("base", 2), ("now", 1), ("old tests", 2)]


FIX = {".samoloop/workflows/fix.yaml": "name: fix\nphases: [init, exec]\n"}


def test_in_a_fix_a_new_test_has_to_fail_on_the_old_code(tmp_path):
    new = TEST_ADD.replace("test_add", "test_new")
    lab = Lab.of(tmp_path, PYTHON | FIX, child(f"cat > tests/test_new.py <<'X'\n{new}X\n{GROW}"))
    assert lab.run("fix").returncode != 0
    assert "the new tests pass on the old code too" in lab.verdicts[-1].said


def test_in_a_fix_a_test_that_shows_the_fault_is_proof(tmp_path):
    wrong = PYTHON | FIX | {"calc.py": ADD + "\n\ndef twice(a):\n    return a + 2\n"}
    new = TEST_ADD.replace("add", "twice").replace("twice(1, 2)", "twice(3)").replace(", 3)", ", 6)")
    lab = Lab.of(tmp_path, wrong, child(f"cat > tests/test_new.py <<'X'\n{new}X\nsed -i 's/a + 2/a * 2/' calc.py"))
    done = lab.run("fix")
    assert done.returncode == 0, done.stdout
    assert [(run.kind, run.outcome) for run in lab.runs][-1] == ("new tests", "failed")
    assert lab.runs[-1].said.endswith("(as it should be: there they have to fail)")


def test_the_approved_plan_adds_a_check(tmp_path):
    lab = Lab.of(tmp_path, PYTHON | PLANNED, child(GROW, "## Checks\n- words: `! grep -n one calc.py`"))
    assert lab.run("planned").returncode != 0
    assert {judged.check for judged in lab.verdicts if judged.veto} == {"words"}


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_two_languages_are_two_checks(tmp_path):
    js = {
        "package.json": json.dumps({"name": "x", "scripts": {"test": "node --test"}}),
        "a.test.js": "require('node:test')('adds', () => require('assert').equal(1, 1));\n",
    }
    lab = Lab.of(tmp_path, PYTHON | js, child(GROW))
    done = lab.run()
    assert done.returncode == 0, done.stdout
    assert [(j.check, j.verdict) for j in lab.verdicts] == [("unittest", "green"), ("npm test", "green")]


def test_a_check_gets_no_secret(tmp_path):
    lab = Lab.of(tmp_path, PYTHON, child(GROW), {"checks": {"show": {"command": "env"}}, "scrub": ["MY_*"]})
    lab.run(TELEGRAM_BOT_TOKEN="1:s3cret", MY_KEY="s3cret", OTHER="kept")
    log = Path(lab.runs[-1].log).read_text()
    assert "OTHER=kept" in log and "s3cret" not in log


def test_in_its_sandbox_a_check_reaches_nothing_of_the_person(tmp_path):
    outside = tmp_path / "outside"
    reach = f"echo x > {outside}; echo x > made.txt; git branch lie; python3 -m unittest discover -v -s tests"
    lab = Lab.of(tmp_path, PYTHON, child(GROW), {"checks": {"tests": {"command": reach}}})
    done = lab.run(SAMOLOOP_SANDBOX="required")
    try:
        sandbox.find()
    except NoSandbox:
        pytest.skip("no sandbox here")
    assert done.returncode == 0, done.stdout
    assert lab.runs[-1].outcome == "passed"
    assert not outside.exists()
    assert not (lab.session.worktree / "made.txt").exists()
    assert "lie" not in kit.git(lab.root, "branch")


def waiting_check(tmp_path: Path) -> tuple[Path, dict[str, object]]:
    """A check that waits for a file, and tells that it is at it by another one."""
    go = tmp_path / "go"
    go.touch()
    command = (
        f"echo $$ > {tmp_path}/at; while [ ! -e {go} ]; do sleep 0.02; done; python3 -m unittest discover -v -s tests"
    )
    return go, {"checks": {"tests": {"command": command}}}


def start(lab: Lab) -> "subprocess.Popen[bytes]":
    words = ["run", "Do it", "--workflow", "exec", "--yes", "--no-wait"]
    return subprocess.Popen(
        [sys.executable, "-m", "samoloop", *words],
        cwd=lab.root,
        env={**os.environ, "PATH": PATH},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_worker_that_dies_in_a_check_leaves_nothing_and_runs_it_again(tmp_path):
    go, settings = waiting_check(tmp_path)
    lab = Lab.of(tmp_path, PYTHON, child(f"rm {go} {tmp_path}/at; {GROW}"), settings)
    worker = start(lab)
    pid = int(
        kit.until(lambda: not go.exists() and (tmp_path / "at").exists() and (tmp_path / "at").read_text().strip())
    )
    kit.kill_with_git(worker.pid)
    worker.wait()
    go.touch()
    assert lab.samoloop("resume", "--no-wait", "--yes").returncode == 0
    kit.until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes())
    assert [run.outcome for run in lab.runs if run.kind == "now"] == ["passed"]
    assert lab.state.totals.iterations == 1, "the child is not run again"


def test_stop_now_ends_a_check_and_resume_runs_it_again(tmp_path):
    go, settings = waiting_check(tmp_path)
    lab = Lab.of(tmp_path, PYTHON, child(f"rm {go} {tmp_path}/at; {GROW}"), settings)
    worker = start(lab)
    kit.until(lambda: not go.exists() and (tmp_path / "at").exists())
    assert lab.samoloop("stop", "--now").returncode == 0
    worker.wait(30)
    assert lab.state.condition is Condition.STOPPED
    go.touch()
    assert lab.samoloop("resume", "--no-wait", "--yes").returncode == 0
    assert [run.outcome for run in lab.runs if run.kind == "now"] == ["passed"]
    assert lab.state.totals.iterations == 1


def no_sandbox() -> None:
    raise NoSandbox("there is none")


def test_without_copies_a_check_runs_in_the_worktree_which_is_put_right(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "find", no_sandbox)
    monkeypatch.setenv("PATH", PATH)
    command = "echo x > left.txt; echo '#' >> calc.py; python3 -m unittest discover -s tests"
    files = PYTHON | PLANNED | {".gitignore": "__pycache__/\n"}
    root = kit.make_repo(tmp_path / "repo")
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    kit.git(root, "add", "-A")
    kit.git(root, "commit", "--quiet", "-m", "The project")
    rewrite = kit.script(tmp_path, child(f"{GROW}; sed -i 's/1, 2/2, 1/' tests/test_calc.py"))
    bench = kit.Bench(root, rewrite, {"workflow": "planned", "checks": {"tests": {"command": command}}})
    session = bench.session()
    bench.run(session, yes=True)
    found = standing(session.journal).receipts
    assert [(run.kind, run.where, run.outcome) for run in found][:3] == [
        ("base", "worktree", "passed"), ("now", "worktree", "passed"), ("old tests", "moved copy", "passed"),
    ]  # fmt: skip
    worktree = session.worktree
    assert not (worktree / "left.txt").exists()
    assert "#" not in (worktree / "calc.py").read_text()
    assert kit.git(worktree, "status", "--porcelain") == ""
    assert not list(worktree.parent.glob(".*-check"))


@pytest.mark.parametrize("name", ["unittest", "checks"])
def test_what_a_person_waived_refuses_no_longer_and_is_said(tmp_path, name):
    lab = Lab.of(tmp_path, PYTHON, child(BREAK + "; true"))
    assert lab.run().returncode != 0
    assert lab.state.condition is Condition.BLOCKED
    assert lab.samoloop("waive", name, "-m", "it subtracts from now on").returncode == 0
    done = lab.samoloop("resume", "--no-wait", "--yes")
    assert done.returncode == 0, done.stdout
    assert lab.verdicts[-1].verdict == "waived" and "it subtracts from now on" in lab.verdicts[-1].said
    assert lab.samoloop("evidence").returncode == 0
    assert len([run for run in lab.runs if run.kind == "now"]) < 5, "what is known of a tree is not run again"


def test_what_was_missing_before_the_first_child_is_held_against_nobody(tmp_path):
    """A fresh worktree lacks what git ignores: all was red for want of it. The base is looked at again beside it."""
    needs = "import dep  # a dependency that git ignores\n"
    files = PYTHON | {"tests/test_calc.py": needs + RED, ".gitignore": "__pycache__/\ndep.py\n"}
    lab = Lab.of(tmp_path, files, child("echo > dep.py; " + GROW))
    done = lab.run()
    assert done.returncode == 0, done.stdout
    assert [(run.kind, run.failed) for run in lab.runs] == [("base", 1), ("now", 1), ("base", 1)]
    assert lab.runs[0].failing != lab.runs[2].failing
    assert lab.verdicts[-1].verdict == "red before"


@pytest.mark.parametrize("mode", ["off", "auto"])
def test_a_session_in_place_is_checked_too_and_its_folder_is_left_as_it_is(tmp_path, mode):
    lab = Lab.of(tmp_path, PYTHON, child(GROW), {"checks": {"tests": {"command": f"echo x > left; {UNITTEST}"}}})
    words = ["run", "Do it", "--workflow", "exec", "--yes", "--no-wait", "--in-place"]
    done = lab.samoloop(*words, SAMOLOOP_SANDBOX=mode)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(run.kind, run.outcome) for run in lab.runs] == [("base", "passed"), ("now", "passed")]
    assert lab.samoloop("evidence").returncode == 0
    assert not (lab.root / "left").exists()


def test_compiled_code_that_a_child_left_does_not_stand_in_for_a_source(tmp_path):
    """Python believes a file in `__pycache__` that names time and size of its source, whatever was compiled."""
    poison = (
        "cp calc.py good.py; "
        "python3 -c 'import os, py_compile, shutil; t = 1600000000; "
        'os.utime("calc.py", (t, t)); py_compile.compile("calc.py"); '
        's = open("calc.py").read().replace("a + b", "a - b"); open("calc.py", "w").write(s); '
        'os.utime("calc.py", (t, t))\'; rm good.py'
    )
    lab = Lab.of(tmp_path, PYTHON, child(poison))
    assert lab.run(PYTHONDONTWRITEBYTECODE="").returncode != 0
    assert lab.verdicts[-1].veto and "1 failed" in lab.verdicts[-1].said


def test_without_copies_a_slow_suite_meets_the_base_when_that_matters(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "find", no_sandbox)
    monkeypatch.setattr(examining, "QUICK_SECONDS", 0.3)
    monkeypatch.setenv("PATH", PATH)
    lab = Lab.of(tmp_path, PYTHON, child(BREAK))
    slow = {"tests": {"command": f"sleep 0.6; {UNITTEST}"}}
    bench = kit.Bench(lab.root, tmp_path / "child.sh", {"workflow": "exec", "checks": slow})
    session = bench.session()
    bench.run(session, yes=True)
    assert any("is run at the base when that matters (there is no bubblewrap" in said for said in bench.view.said)
    assert [(run.kind, run.outcome) for run in lab.runs][:2] == [("now", "failed"), ("base", "passed")]
    assert lab.state.condition is Condition.BLOCKED
