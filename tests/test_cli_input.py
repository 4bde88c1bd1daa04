"""Bad input by the command line: a sentence, a defined exit code, nothing lost and nothing made."""

import errno
import getpass
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kit import GOOD_CHILD, Bench, git, make_repo, samoloop, script, until

from samoloop.base.locks import is_held
from samoloop.core.control import LOCK
from samoloop.core.records import Started
from samoloop.core.session import all_sessions
from samoloop.ui.cli import failures


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A project, and a scripted child in the person's own configuration."""
    bench = Bench(make_repo(tmp_path / "repo"), script(tmp_path, GOOD_CHILD))
    use(bench)
    return bench


def use(bench: Bench, **more: object) -> None:
    settings = {"provider": "scripted", "providers": {"scripted": {"command": [str(bench.child)]}}, **more}
    folder = Path(os.environ["HOME"]) / ".config" / "samoloop"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(json.dumps(settings))


def refused(folder: Path, *words: str, says: str, code: int = 2, **options) -> str:
    done = samoloop(folder, *words, **options)
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def made(bench: Bench) -> list[str]:
    return [session.name for session in all_sessions(bench.root / "_sessions")]


def test_a_folder_that_is_no_repository_is_refused_and_in_place_named(bench, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    refused(plain, "run", "Do it", says="--in-place")
    assert list(plain.iterdir()) == []
    assert samoloop(plain, "run", "Do it", "--in-place", "--yes").returncode == 0
    assert (plain / "feature.txt").exists() and not (plain / ".git").exists()


def test_a_repository_without_commits_is_told_how_to_make_one(bench, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    refused(empty, "run", "Do it", says="commit")


def test_a_git_that_is_too_old_is_said(bench, tmp_path):
    """It fails at what it does not know, which must not be taken for a repository without a commit."""
    old = script(tmp_path, "", name="git")
    old.write_text('#!/bin/sh\ncase "$*" in *--version*) echo "git version 1.8.3.1";; *) exit 129;; esac\n')
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    refused(bench.root, "run", "Do it", says="git 1.8.3.1 is too old", env={"PATH": path})


@pytest.mark.parametrize("flags", [[], ["--in-place"]])
def test_a_path_that_is_not_utf_8_is_refused_before_a_session_is_made(bench, tmp_path, flags):
    root = make_repo(tmp_path / os.fsdecode(b"caf\xe9"))
    refused(root, "run", "Do it", *flags, says="is not UTF-8")
    assert not (root / "_sessions").exists()


def test_git_without_a_name_and_address_works(bench):
    done = samoloop(bench.root, "run", "Do it", "--yes", env={"GIT_CONFIG_NOSYSTEM": "1"})
    assert done.returncode == 0, done.stderr
    author = subprocess.run(
        ["git", "log", "-1", "--format=%an", "samoloop/do-it"],
        cwd=bench.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert author.stdout.strip()


def test_uncommitted_work_of_the_person_stays_and_is_said(bench):
    (bench.root / "hello.txt").write_text("changed\n")
    (bench.root / "new.txt").write_text("new\n")
    done = samoloop(bench.root, "run", "Do it", "--yes")
    assert done.returncode == 0
    assert "2 uncommitted" in done.stdout or "uncommitted" in done.stdout
    assert (bench.root / "hello.txt").read_text() == "changed\n"


def test_a_branch_that_is_taken_gets_a_number(bench):
    git(bench.root, "branch", "samoloop/do-it")
    assert samoloop(bench.root, "run", "Do it", "--yes").returncode == 0
    assert git(bench.root, "branch", "--list", "samoloop/*").split() == ["samoloop/do-it", "+", "samoloop/do-it-2"]


def test_two_sessions_of_one_task_that_begin_at_once_have_a_branch_each(bench):
    first, second = bench.session("Add JWT auth"), bench.session("Add JWT auth")
    assert (first.branch, second.branch) == ("samoloop/add-jwt-auth", "samoloop/add-jwt-auth-2")
    for session in (second, first):
        assert samoloop(bench.root, "resume", session.name, "--no-wait").returncode == 3
        assert git(session.worktree, "branch", "--show-current") == session.branch


def test_a_detached_head_and_any_default_branch_are_fine(bench):
    git(bench.root, "branch", "-m", "what/ever")
    git(bench.root, "checkout", "-q", "--detach")
    assert samoloop(bench.root, "run", "Do it", "--yes").returncode == 0


@pytest.mark.parametrize("name", ["with space", 'it\'s "quoted"', "line\nbreak", "ünïcödé-日本", "-dash", "$HOME"])
def test_any_path_is_fine(bench, tmp_path, name):
    root = make_repo(tmp_path / name)
    done = samoloop(root, "run", "Do it", "--yes")
    assert done.returncode == 0, done.stderr + done.stdout
    assert git(root, "show", "samoloop/do-it:feature.txt") == "code"
    assert git(root, "status", "--porcelain") == ""


def test_a_task_of_one_megabyte_from_a_file_arrives_whole(bench):
    task = "Do it all\n" + "".join(f"line {n} of a long task\n" for n in range(45_000))
    (bench.root.parent / "task.md").write_text(task)
    assert samoloop(bench.root, "run", "--file", "../task.md", "--no-wait").returncode == 3
    session = all_sessions(bench.root / "_sessions")[0]
    assert (session.dir / "_task.md").read_text() == task
    assert len((session.dir / "_logs" / "001-investigation.prompt.md").read_bytes()) < 6000


def test_a_task_from_standard_input(bench):
    assert samoloop(bench.root, "run", "--file", "-", "--no-wait", input="From a pipe").returncode == 3
    assert made(bench)[0].endswith("from-a-pipe")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run"], "there is no task"),
        (["run", "  "], "the task is empty"),
        (["run", "x", "--file", "y"], "not both"),
        (["run", "--file", "nowhere.md"], "cannot be read from nowhere.md"),
        (["run", "x", "--session", "a/b"], "cannot be a session's name"),
        (["run", "x", "--session", "../b"], "cannot be a session's name"),
        (["run", "x", "--session", ".."], "cannot be a session's name"),
        (["run", "x", "--session", "-x"], "cannot be a session's name"),
        (["run", "x", "--workflow", "nope"], "there is no workflow 'nope'; there are:"),
        (["run", "x", "--provider", "nope"], "there is no provider 'nope'; there are:"),
        (["run", "x", "--base", "nope"], "'nope' is no commit"),
        (["run", "x", "--repo", "/nowhere"], "there is no folder /nowhere"),
        (["run", "x", "--profile", "nope"], "there is no profile 'nope'"),
        (["status", "nope"], "there is no session 'nope'"),
        (["resume"], "which session?"),
        (["approve"], "no session waits for a decision on a plan"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(bench, words, says):
    refused(bench.root, *words, says=says)
    assert made(bench) == []
    assert git(bench.root, "branch", "--list", "samoloop/*") == ""


def test_every_problem_of_the_configuration_is_shown_at_once(bench):
    (bench.root / ".samoloop.yaml").write_text(
        "provder: claude\npermissions: all\nlimits: {iteration: soon}\ntelegram: {token: x}\nsessions: 3\n"
    )
    text = refused(bench.root, "run", "Do it", says="provder")
    for word in ("permissions", "soon", "telegram", "sessions"):
        assert word in text
    assert made(bench) == []


def test_a_missing_or_unusable_cli_is_named_with_the_way_to_mend_it(bench, tmp_path):
    bench.child = tmp_path / "missing"
    use(bench)
    refused(bench.root, "run", "Do it", says="missing")
    bench.child.write_text("#!/bin/sh\n")
    refused(bench.root, "run", "Do it", says="missing")
    assert made(bench) == []


def test_claude_that_is_not_installed_says_how_to_install_it(bench):
    text = refused(bench.root, "run", "Do it", "--provider", "claude", says="claude", env={"PATH": "/usr/bin:/bin"})
    assert "npm install" in text
    assert made(bench) == []


def other_cli(folder: Path) -> dict[str, str]:
    """An environment with git and Codex alone."""
    folder.mkdir()
    for name, target in (("codex", "/bin/true"), ("git", shutil.which("git"))):
        (folder / name).symlink_to(target)
    return {"PATH": f"{folder}:/nowhere"}


def test_who_has_another_cli_is_told_how_to_choose_it(bench, tmp_path):
    (Path(os.environ["HOME"]) / ".config" / "samoloop" / "config.yaml").unlink()
    environ = other_cli(tmp_path / "bin")
    words = "codex is installed: choose with `--provider codex`, or `provider: codex` in .samoloop.yaml"
    assert words in refused(bench.root, "run", "Do it", says="'claude' is not on PATH", env=environ)
    assert words in samoloop(bench.root, "doctor", env=environ).stdout


def test_a_dry_run_needs_no_cli_and_says_that_it_is_missing(bench, tmp_path):
    (Path(os.environ["HOME"]) / ".config" / "samoloop" / "config.yaml").unlink()
    environ = other_cli(tmp_path / "bin")
    done = samoloop(bench.root, "run", "Do it", "--dry-run", env=environ)
    assert done.returncode == 0 and "GATE: plan_approval" in done.stdout
    assert "missing   The program 'claude' is not on PATH" in done.stdout
    found = json.loads(samoloop(bench.root, "run", "Do it", "--dry-run", "--json", env=environ).stdout)
    assert "'claude' is not on PATH" in found["missing"]


MEANT = [
    (("stauts",), "did you mean samoloop status?"),
    (("ls",), "did you mean samoloop list?"),
    (("help",), "did you mean samoloop --help?"),
    (("frobnicate",), "samoloop --help lists them"),
    (("run", "Add", "JWT", "auth"), 'put the task in quotes: samoloop run "Add JWT auth"'),
    (("resume", "x", "use sqlite"), 'guidance goes with -m: samoloop resume SESSION -m "Use sqlite."'),
    (("approve", "x", "fine"), "a word for the next child goes with -m"),
    (("changes", "x", "shorter"), "what should change goes with -m"),
]


@pytest.mark.parametrize(("words", "says"), MEANT)
def test_what_was_probably_meant_is_said(bench, words, says):
    refused(bench.root, *words, says=says)


def test_tell_without_words_does_not_take_the_name_for_them(bench):
    session = bench.session("Do it", name="auth")
    refused(bench.root, "tell", "auth", says='say what the next child should know: samoloop tell auth "..."')
    assert not (session.dir / "_guidance.md").exists()
    assert samoloop(bench.root, "tell", "Use sqlite.").returncode == 0


def test_the_closing_lines_name_what_answers_and_what_takes_the_work_over(bench):
    done = samoloop(bench.root, "run", "Do it", "--no-wait", "--session", "auth")
    (name,) = made(bench)
    assert f"samoloop answer {name} --suggested" in done.stdout.rpartition("waiting")[2]
    done = samoloop(bench.root, "resume", "--yes")
    assert f"samoloop show {name} # look at the work" in re.sub(" +", " ", done.stdout)
    assert "git merge samoloop/auth" in done.stdout


def test_detach_says_where_it_starts_and_what_a_child_may_do(bench):
    (bench.root / "mine.txt").write_text("mine")
    said = samoloop(bench.root, "run", "Do it", "--detach", "--no-wait").stdout
    assert "permissions: full, so a child may run any command as you" in said
    assert re.search(r"branch samoloop/do-it from \w+ \(First, trunk\); 1 uncommitted file is not in it", said)
    (session,) = all_sessions(bench.root / "_sessions")
    until(lambda: not is_held(session.control / LOCK))


def test_questions_prints_the_plan_that_waits(bench):
    session = bench.session("Do it", name="auth")
    bench.run(session)
    samoloop(bench.root, "answer", "--suggested")
    bench.run(session)
    shown = samoloop(bench.root, "questions", "auth").stdout
    assert shown.startswith("the plan\n") and "11-21-0900-plan-x.md)" in shown


def completed(folder: Path, words: str) -> list[str]:
    environ = {"_SAMOLOOP_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()))}
    return samoloop(folder, env=environ).stdout.split()


def test_a_shell_completes_sessions_and_files(bench):
    bench.session("Do it", name="auth")
    assert completed(bench.root, "samoloop status") == ["plain,auth"]
    assert completed(bench.root, "samoloop run --file") == ["file,"]


def test_a_task_without_end_is_read_up_to_the_limit(bench):
    refused(bench.root, "run", "--file", "/dev/zero", says="larger than 8 MB")


def test_words_that_are_not_utf_8_are_refused(bench):
    refused(bench.root, "run", os.fsdecode(b"caf\xe9"), says="is not UTF-8 text")
    assert made(bench) == []


def test_a_long_value_is_not_repeated_whole(bench):
    said = refused(bench.root, "run", "Do it", "--effort", "x" * 100_000, says="is not one of")
    assert len(said) < 2_000


def test_a_fault_of_samoloop_is_a_sentence_and_a_file(bench, tmp_path):
    code = "import samoloop.ui.cli as c; c.cli.main = lambda **_: 1 / 0; c.main(['list'])"
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    kept = tmp_path / "state" / "samoloop" / "crash.txt"
    assert done.returncode == 2
    assert done.stderr.startswith("samoloop: ZeroDivisionError: division by zero; this is a fault of samoloop")
    assert str(kept) in done.stderr and "Traceback" not in done.stderr
    assert "Traceback" in kept.read_text()


def test_nobody_promises_anything_about_a_folder_that_is_gone(bench):
    error = FileNotFoundError(errno.ENOENT, "No such file or directory", "/x/_history.jsonl")
    assert failures.of_system(error) == "No such file or directory: /x/_history.jsonl"
    assert "nothing that was recorded is lost" in failures.of_system(OSError(errno.ENOSPC, "No space left"))


def test_a_new_task_for_an_unfinished_session_is_refused_and_resume_named(bench):
    samoloop(bench.root, "run", "Do it", "--session", "auth", "--no-wait")
    refused(bench.root, "run", "Another", "--session", "auth", says="samoloop resume")
    assert len(made(bench)) == 1
    assert samoloop(bench.root, "run", "--session", "auth", "--yes").returncode == 0
    assert samoloop(bench.root, "run", "Another", "--session", "auth", "--no-wait").returncode == 3
    assert len(made(bench)) == 2


def test_a_session_called_auth_is_never_another_ones_ending(bench):
    samoloop(bench.root, "run", "Do it", "--session", "fix-auth", "--no-wait")
    samoloop(bench.root, "run", "Do it", "--session", "auth", "--no-wait")
    assert [name[9:] for name in made(bench)] == ["fix-auth", "auth"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_sessions_folder_is_named(bench):
    (bench.root / "_sessions").mkdir()
    (bench.root / "_sessions").chmod(0o500)
    refused(bench.root, "run", "Do it", says="_sessions")


def test_a_sessions_folder_that_is_a_file_is_named(bench):
    (bench.root / "_sessions").write_text("")
    refused(bench.root, "run", "Do it", says="_sessions")


def test_a_full_disk_ends_with_a_sentence_and_loses_nothing(bench, tmp_path):
    """A file system of 2 MB that fills up while the session runs."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small file system needs privileges")
    try:
        fill = 'head -c 3000000 /dev/zero > "$SAMOLOOP_SESSION_DIR/big" 2>/dev/null; next requirements'
        bench.child = script(tmp_path, GOOD_CHILD.replace("investigation)", f"investigation) {fill};;\nnever)"))
        use(bench, sessions=str(small))
        done = samoloop(bench.root, "run", "Do it", "--no-wait")
        assert done.returncode in (2, 4, 5) and "Traceback" not in done.stderr
        session = all_sessions(small)[0]
        (session.dir / "big").unlink()
        bench.child = script(tmp_path, GOOD_CHILD)
        done = samoloop(bench.root, "resume", session.name, "--yes")
        assert done.returncode == 0, done.stderr + done.stdout
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_a_file_for_the_worktree_that_did_not_fit_is_copied_whole_by_resume(bench):
    """The limit on the size of a file fails in the middle of the copy, as a full disk does."""
    (bench.root / ".git/info/exclude").write_text("/data\n")
    (bench.root / ".worktreeinclude").write_text("/data\n")
    (bench.root / "data").write_bytes(b"x" * 5_000_000)
    run = f"ulimit -f 2000; exec {sys.executable} -m samoloop run 'Do it' --no-wait"
    done = subprocess.run(["sh", "-c", run], cwd=bench.root, capture_output=True, text=True, check=False)
    assert done.returncode == 5 and "data, which .worktreeinclude names, cannot be copied" in done.stdout
    session = all_sessions(bench.root / "_sessions")[0]
    assert list(session.worktree.glob("*data*")) == []
    assert samoloop(bench.root, "resume", session.name, "--no-wait").returncode == 3
    assert (session.worktree / "data").stat().st_size == 5_000_000


def test_detach_lets_the_terminal_go_and_status_and_stop_find_the_worker(bench, tmp_path):
    bench.child = script(tmp_path, "sleep 60\n" + GOOD_CHILD)
    use(bench)
    done = samoloop(bench.root, "run", "Do it", "--detach")
    assert done.returncode == 0 and "in the background" in done.stdout

    def status() -> dict[str, object]:
        return json.loads(samoloop(bench.root, "status", "--json").stdout)

    until(lambda: (status()["condition"], status()["phase"]) == ("running", "investigation"))
    out = samoloop(bench.root, "stop", "--now").stdout
    assert "stop now" in out
    session = all_sessions(bench.root / "_sessions")[0]
    until(lambda: not is_held(session.control / "_lock"))
    assert status()["condition"] in ("stopped", "ready")


def test_commands_work_inside_the_worktree_of_a_session(bench):
    samoloop(bench.root, "run", "Do it", "--no-wait")
    session = all_sessions(bench.root / "_sessions")[0]
    done = samoloop(session.worktree, "questions")
    assert done.returncode == 0 and "Which way?" in done.stdout


def test_signal_commands(bench, tmp_path):
    schema = json.loads(samoloop(bench.root, "signal", "schema").stdout)
    assert schema["title"] == "samoloop signal"
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('{"status": "continue", "phase": "planning"}')
    bad.write_text('{"status": "go"}')
    assert samoloop(bench.root, "signal", "check", str(good)).returncode == 0
    refused(bench.root, "signal", "check", str(bad), says='"status" is "go"')


def test_workflow_commands(bench):
    assert "feature" in samoloop(bench.root, "workflows", "list").stdout
    shown = samoloop(bench.root, "workflows", "show", "feature").stdout
    assert "GATE: plan_approval" in shown and "back to testing, at most 3 times" in shown
    assert samoloop(bench.root, "workflows", "show", "feature", "--mermaid").stdout.startswith("flowchart")
    assert samoloop(bench.root, "workflows", "check").returncode == 0
    (bench.root / ".samoloop" / "workflows").mkdir(parents=True)
    (bench.root / ".samoloop" / "workflows" / "mine.yaml").write_text("phases: [init, nowhere, done]\n")
    refused(bench.root, "workflows", "check", says="phase 'nowhere' has no file")


def test_ceilings_are_flags_too_and_are_remembered(bench):
    done = samoloop(bench.root, "run", "Do it", "--yes", "--max-iterations", "2")
    assert done.returncode == 3 and "ceiling of 2 iterations" in done.stdout
    done = samoloop(bench.root, "resume", "--yes")
    assert done.returncode == 3 and "ceiling of 2 iterations" in done.stdout
    assert samoloop(bench.root, "resume", "--yes", "--max-iterations", "50", "--max-time", "2h").returncode == 0
    refused(bench.root, "run", "Do it", "--max-time", "soon", says="got 'soon'")


def test_a_worker_in_the_background_is_told_what_resume_was_told(bench, tmp_path):
    samoloop(bench.root, "run", "Do it", "--no-wait")
    session = all_sessions(bench.root / "_sessions")[0]
    use(bench, providers={n: {"command": [str(bench.child)]} for n in ("scripted", "other")})
    assert samoloop(bench.root, "resume", "--detach", "--yes", "--provider", "other").returncode == 0
    until(
        lambda: json.loads(samoloop(bench.root, "status", session.name, "--json").stdout)["condition"] == "done", 30.0
    )
    started = [record for record in session.journal.read() if isinstance(record, Started)]
    assert started[-1].provider == "other"


def test_start_and_resume_are_announced(bench, tmp_path):
    bench.child.write_text(script(tmp_path, GOOD_CHILD.replace("testing) next quality;;", BLOCKS_ONCE)).read_text())
    use(bench, announce={"command": ["sh", "-c", f"cat >> {tmp_path}/heard; echo >> {tmp_path}/heard"]})
    assert samoloop(bench.root, "run", "Do it", "--session", "x", "--yes").returncode == 4
    assert samoloop(bench.root, "resume", "x", "--yes").returncode == 0
    heard = [json.loads(line) for line in (tmp_path / "heard").read_text().splitlines()]
    kinds = [item["kind"] for item in heard]
    assert kinds == ["started", "blocked", "resumed", "done"], "with --yes no gate waits"
    assert heard[2]["text"] == f"resumed by {getpass.getuser()}"


BLOCKS_ONCE = """testing)
  if [ -f blocked ]; then next quality
  else touch blocked; signal '{"status": "blocked", "reason": "no database", "needs": "human_decision"}'; fi;;"""
