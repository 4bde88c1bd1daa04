"""`fleet try`: one machine dies, the other goes on, and nothing of it stays."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from kit import samoloop, until

from samoloop.demo.two_machines import Trial

pytestmark = pytest.mark.slow  # whole commands


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder that every user may go through: a server that root starts runs as another one."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


def marked(folder: Path) -> list[int]:
    """Processes that stand in the trial's folder or name it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            if os.fsencode(folder) in text and b"SAMOLOOP_TRY=" in text:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_the_trial_shows_a_session_that_moves_to_the_other_machine_and_leaves_nothing(place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "samoloop", "fleet", "try"],
        cwd=place,
        env={**os.environ, "TMPDIR": str(place)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    victim = re.search(r"(first|second) +DIES in the middle of it", done.stdout)
    assert victim
    other = "second" if victim[1] == "first" else "first"
    after = done.stdout[victim.end() :]
    assert re.search(rf"{other} +takes over", after) and re.search(rf"{other} +done:", after)
    assert victim[1] not in re.findall(r"(\w+) +iteration \d+: a child is at work", after)
    assert "6 iterations, each once" in after
    assert not marked(place) and not list(place.iterdir())


def test_what_it_waits_for_is_told_before_what_follows(tmp_path: Path) -> None:
    said: list[str] = []
    started: list[tuple[str, SimpleNamespace]] = []
    host = SimpleNamespace(name="first", worker=None, own=lambda kind: started)
    trial = Trial(lambda who, what: said.append(f"{who} {what}"), tmp_path, [host])  # type: ignore[list-item]
    trial.database = SimpleNamespace(sessions=lambda: [SimpleNamespace(condition="running", at_work=True)])

    def a_child_starts() -> bool:
        started.append(("first", SimpleNamespace(iteration=3, attempt=1, phase="planning")))
        return True

    trial._watch(a_child_starts)
    assert said == ["first iteration 3: a child is at work, in planning"]


def test_the_trial_can_be_broken_off(place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "samoloop", "fleet", "try"],
        cwd=place,
        env={**os.environ, "TMPDIR": str(place)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as trial:
        assert trial.stdout
        for line in trial.stdout:
            if "a child is at work" in line:
                break
        os.killpg(trial.pid, signal.SIGINT)
        rest = trial.stdout.read()
        assert trial.wait(60) == 130 and "stopped and removed" in rest
    until(lambda: not marked(place))
    assert not list(place.iterdir())


def test_without_its_packages_a_fleet_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'procrastinate' else real(name, *more)\n"
        "from samoloop.ui.cli import main; main(['fleet', 'status'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "pip install 'samoloop[fleet]'" in done.stderr


def test_on_one_machine_nothing_of_a_fleet_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom samoloop.ui.cli import main\n"
        "try:\n    main({words!r})\nexcept SystemExit:\n    pass\n"
        "print(sorted({{m.split('.')[0] for m in sys.modules}} & {{'procrastinate', 'psycopg', 'psycopg_pool'}}),"
        " [m for m in sys.modules if m.startswith('samoloop.fleet')], file=sys.stderr)"
    )
    for words in (["--help"], ["status"], ["run", "x", "--in-place", "--dry-run"], ["list"]):
        done = subprocess.run(
            [sys.executable, "-c", code.format(words=words)], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.stderr.splitlines()[-1] == "[] []", words
    assert samoloop(tmp_path, "--help").returncode == 0
