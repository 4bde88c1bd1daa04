"""A skill run headless, as real processes: what the child is told, what the person sees, how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kit import make_repo, samoloop

from samoloop.base.files import sha256

# The prompt on standard input is kept beside the scripts, its environment too; `acts` is what each test wants.
CHILD = """#!/bin/sh
cat > "{told}"
env > "{told}.env"
echo '{{"type": "started"}}'
{acts}
"""
DOCUMENT = "11-21-0930-dive-limits.md"
WRITES = f"""
echo '{{"type": "tool", "id": "1", "name": "shell", "detail": "grep -rn limit", "running": true}}'
echo '# Dive' > {DOCUMENT}
echo '{{"type": "tool", "id": "1", "name": "shell", "ok": true}}'
echo '{{"type": "text", "text": "There is no limit."}}'
echo '{{"type": "result", "ok": true, "text": "There is no limit."}}'
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in no repository, and a folder for temporary files that is empty."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    folder = tmp_path / "notes"
    folder.mkdir()
    return folder


def configure(folder: Path, acts: str, **settings: Any) -> Path:
    """A provider of one's own that does `acts`; returns the file of what it was told."""
    told = folder.parent / "told.md"
    script = folder.parent / "child.sh"
    script.write_text(CHILD.format(told=told, acts=acts))
    script.chmod(0o755)
    command = {"command": [str(script)], "output": "jsonl"}
    (folder / ".samoloop.yaml").write_text(
        yaml.safe_dump({"provider": "mine", "providers": {"mine": command}, **settings})
    )
    return told


def run(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return samoloop(folder, "skills", "run", *words, env=env)


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in (folder.parent / "temporary").iterdir() if path.name.startswith("samoloop-")]


def test_it_runs_in_any_folder_shows_what_is_done_and_names_the_document(place: Path) -> None:
    told = configure(place, WRITES)
    done = run(place, "dive", "rate limiting")
    assert done.returncode == 0, done.stderr
    assert "▸ shell grep -rn limit" in done.stdout
    assert "There is no limit." in done.stdout
    assert done.stdout.splitlines()[-1] == f"Result: {place / DOCUMENT}"
    assert "> rate limiting" in told.read_text()
    assert left_behind(place) == []


def test_the_child_gets_the_skills_text_without_front_matter_and_the_place_of_its_references(place: Path) -> None:
    told = configure(place, WRITES)
    assert run(place, "multi-review", "the last commit").returncode == 0
    text = told.read_text()
    assert "# Review from several perspectives" in text
    assert "description:" not in text
    assert "references/perspectives.md" in text
    assert f"carry out the skill below in the folder `{place}`" in text.lower()


def test_no_session_is_pretended_and_no_secret_passed_on(place: Path) -> None:
    told = configure(place, WRITES)
    secrets = {"TELEGRAM_BOT_TOKEN": "1:secret", "SAMOLOOP_SESSION_DIR": "/elsewhere"}
    assert run(place, "dive", "x", env=secrets).returncode == 0
    names = {line.partition("=")[0] for line in Path(f"{told}.env").read_text().splitlines()}
    assert {name for name in names if name.startswith(("TELEGRAM", "SAMOLOOP"))} == {"SAMOLOOP_MARKER"}


def test_a_document_in_docs_is_found_and_an_old_one_is_not_named(place: Path) -> None:
    (place / "docs").mkdir()
    (place / "11-20-0800-dive-old.md").write_text("# Old\n")
    configure(place, WRITES.replace(DOCUMENT, f"docs/{DOCUMENT}"))
    done = run(place, "dive", "x")
    assert [line for line in done.stdout.splitlines() if line.startswith("Result:")] == [
        f"Result: {place / 'docs' / DOCUMENT}"
    ]


def test_without_a_document_the_last_words_are_the_result(place: Path) -> None:
    configure(place, """echo '{"type": "result", "ok": true, "text": "All clean."}'""")
    done = run(place, "cleanup")
    assert done.returncode == 0
    assert "All clean." in done.stdout
    assert "wrote no document here" in done.stdout


def test_json_gives_every_event_and_the_end(place: Path) -> None:
    configure(place, WRITES)
    done = run(place, "dive", "x", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["started", "tool", "tool", "text", "result", "ended"]
    assert events[-1]["documents"] == [str(place / DOCUMENT)]
    assert events[-1]["exit_code"] == 0


FAILURES = {
    "the CLI fails": ("echo broken >&2; exit 7", 5, "ended with exit code 7"),
    "not logged in": (
        """echo '{"type": "error", "trouble": "login", "message": "log in"}'; exit 1""",
        4,
        "login: log in",
    ),
    "a usage limit": ("""echo '{"type": "error", "trouble": "usage_limit", "message": "at 9"}'; exit 1""", 3, "at 9"),
    "it says that it failed": ("""echo '{"type": "result", "ok": false, "text": "no idea"}'""", 5, "no idea"),
}


@pytest.mark.parametrize(("acts", "code", "sentence"), FAILURES.values(), ids=FAILURES)
def test_a_failure_has_its_exit_code_a_sentence_and_its_logs(place: Path, acts: str, code: int, sentence: str) -> None:
    configure(place, acts)
    done = run(place, "dive", "x")
    assert done.returncode == code
    assert sentence in done.stderr
    (kept,) = left_behind(place)
    assert (place.parent / "temporary" / kept / "_logs" / "001-dive.jsonl").is_file()
    assert kept in done.stderr


def test_the_time_limit_of_the_settings_holds(place: Path) -> None:
    configure(place, "exec sleep 300", limits={"iteration": "1s", "terminate": "1s"})
    done = run(place, "dive", "x")
    assert done.returncode == 4
    assert "time limit" in done.stderr


def test_what_the_child_leaves_running_is_swept(place: Path) -> None:
    pid = place.parent / "pid"
    daemon = f'setsid sh -c "echo \\$\\$ > {pid}; exec sleep 300" >/dev/null 2>&1 &'
    configure(place, f"{daemon}\nwhile [ ! -s {pid} ]; do sleep 0.02; done\n{WRITES}")
    assert run(place, "dive", "x").returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_child_too(place: Path, number: int) -> None:
    pid = place.parent / "pid"
    configure(place, f"echo $$ > {pid}; exec sleep 300")
    process = subprocess.Popen(
        [sys.executable, "-m", "samoloop", "skills", "run", "dive", "x"],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not (pid.exists() and pid.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 130, said
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert left_behind(place) == []


def test_a_reader_that_goes_away_ends_the_child(place: Path) -> None:
    pid = place.parent / "pid"
    words = """echo '{"type": "text", "text": "still here"}'"""
    configure(place, f"echo $$ > {pid}; while :; do {words}; sleep 0.1; done")
    process = subprocess.Popen(
        [sys.executable, "-m", "samoloop", "skills", "run", "dive", "x"],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


REFUSED = {
    "an unknown skill": (["dvie", "x"], {}, "there is no skill 'dvie'"),
    "an unknown provider": (["dive", "x", "--provider", "nobody"], {}, "there is no provider 'nobody'"),
    "the scripted child": (["dive", "x", "--provider", "demo"], {}, "cannot run a skill"),
    "a missing CLI": (["dive", "x", "--provider", "gemini"], {"PATH": "/nowhere"}, "'gemini' is not on PATH"),
    "inside a child": (["dive", "x"], {"SAMOLOOP_MARKER": "x"}, "this is inside a child"),
}


@pytest.mark.parametrize(("words", "env", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_run_is_one_sentence_and_leaves_nothing(
    place: Path, words: list[str], env: Mapping[str, str], sentence: str
) -> None:
    configure(place, WRITES)
    done = run(place, *words, env=env)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert left_behind(place) == []
    assert not (place / DOCUMENT).exists()


def test_in_a_repository_nothing_but_the_document_is_new(place: Path) -> None:
    repo = make_repo(place / "repo")
    configure(repo, WRITES)
    before = {path.name: sha256(path.read_bytes()) for path in repo.iterdir() if path.is_file()}
    assert run(repo, "dive", "x").returncode == 0
    after = {path.name: sha256(path.read_bytes()) for path in repo.iterdir() if path.is_file()}
    assert after.keys() - before.keys() == {DOCUMENT}
    assert {name: after[name] for name in before} == before
