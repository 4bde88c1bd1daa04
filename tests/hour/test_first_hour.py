"""A newcomer's first hour, typed by somebody who has read nothing: from the installation to `archive`.

Each screen is kept beside this file and compared. `HOUR_SCREENS=write` writes them anew, to be looked at.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminal import COLUMNS, PROMPT, Terminal

ROOT = Path(__file__).resolve().parents[2]
SCREENS = Path(__file__).parent / "screens"
HANDED_ON = ("LANG", "PIP_", "UV_", "SSL_", "REQUESTS_", "http", "HTTP", "no_proxy", "NO_PROXY")
WRITES = os.environ.get("HOUR_SCREENS") == "write"
ENDS = rf"^{re.escape(PROMPT.strip())}$"
# What differs from run to run, and what it is shown as, no shorter and no longer where it stands in a column.
VARYING = (
    (r"\b\d\d-\d\d-\d\d-(?=[a-z])", "26-11-21-"),
    (r"\b\d\d-\d\d-\d{4}-(?=[a-z])", "11-21-0930-"),
    (r"\b(\d\d-\d\d|\d{4}-\d\d-\d\d) \d\d:\d\d(:\d\d)?", "11-21 09:30"),
    (r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b", "c0ffee0"),
    (r" *\b(\d+m )?\d+(\.\d+)?s\b", " 1s"),
    (r"\b\d+ (seconds?|minutes?) ago", "1 minute ago"),
    (r"python3?(\.\d+)?\b", "python3"),
)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home with nothing but a project in it."""
    home = Path(tempfile.mkdtemp(prefix="ada-", dir="/tmp"))  # as long each time, so that lines break alike
    shop = home / "shop"
    shop.mkdir()
    (shop / "greet.py").write_text('def greet(name):\n    return f"Hello, {name}."\n')
    (shop / "test_greet.py").write_text(
        "import unittest\n\nfrom greet import greet\n\n\nclass Greeting(unittest.TestCase):\n"
        '    def test_a_name(self):\n        self.assertEqual(greet("Ada"), "Hello, Ada.")\n'
    )
    (home / ".gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n"
    )
    git = ["git", "-C", str(shop)]
    environ = {"HOME": str(home), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "The shop greets"]):
        subprocess.run([*git, *words], env=environ, check=True)
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def pipx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pipx and Python in it."""
    place = tmp_path_factory.mktemp("pipx")
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    subprocess.run([place / "bin/python", "-m", "pip", "install", "-q", "pipx"], check=True)
    return place / "bin"


@pytest.fixture(scope="module")
def terminal(home: Path, pipx: Path) -> Iterator[Terminal]:
    tools = home / ".tools"
    tools.mkdir()
    for name in ("pipx", "python", "python3"):
        (tools / name).unlink(missing_ok=True)
        (tools / name).symlink_to(pipx / name)
    path = f"{home}/.local/bin:{tools}:/usr/local/bin:/usr/bin:/bin"
    environ = {name: value for name, value in os.environ.items() if name.startswith(HANDED_ON)}
    environ |= {
        "LANG": "C.UTF-8",
        "PATH": path,
        "LOGNAME": "ada",
        "GIT_CONFIG_NOSYSTEM": "1",
        "PIPX_DEFAULT_PYTHON": str(pipx / "python"),
    }
    with Terminal(home, environ) as terminal:
        yield terminal


def plain(screen: str, home: Path) -> str:
    """A screen without what differs from run to run."""
    for path, name in ((str(home), "/home/ada"), (str(ROOT), "samoloop")):
        screen = screen.replace(path, name)
    for pattern, shown in VARYING:
        screen = re.sub(pattern, shown, screen)
    return screen + "\n"


def compare(name: str, screen: str, home: Path) -> None:
    """A screen must be the one that is kept; none is wider than the terminal, and no fault's track is on any."""
    assert "Traceback" not in screen
    assert max(map(len, screen.splitlines())) <= COLUMNS
    shown, path = plain(screen, home), SCREENS / f"{name}.txt"
    if WRITES:
        SCREENS.mkdir(exist_ok=True)
        path.write_text(shown)
    assert shown == path.read_text()


def test_the_first_hour(terminal: Terminal, home: Path) -> None:
    def see(name: str, command: str) -> str:
        screen = terminal.run(command)
        compare(name, screen, home)
        return screen

    terminal.run(f"pipx install {ROOT}")
    assert "samoloop" in terminal.screen and "done!" in terminal.screen
    see("01-what-is-it", "samoloop")
    doctor = terminal.run("samoloop doctor")  # it tells of this machine, so it is no screen to compare
    assert "claude      ✗ not installed" in doctor and "demo        ✓ comes with samoloop" in doctor
    terminal.run("cd shop")
    see("03-no-cli", 'samoloop run "Greet in French too"')
    see("04-a-typo", "samoloop stauts")

    terminal.clear()
    terminal.type('samoloop run "Greet in French too" --provider demo')
    for number in (1, 2):
        terminal.wait_for("Your answer", times=number)
        terminal.type("")
    terminal.wait_for("Your decision")
    terminal.type("a")
    compare("05-the-work", terminal.wait_for(ENDS), home)

    see("06-where-it-stands", "samoloop status")
    see("07-all-of-them", "samoloop list")
    see("08-what-did-i-get", "samoloop report")
    see("09-what-changed", "samoloop diff --stat")
    see("10-a-wrong-name", "samoloop status grete")
    see("11-take-it", "git merge samoloop/greet-in-french-too")
    see("12-put-it-away", "samoloop archive greet")
    see("13-nothing-left", "samoloop list")
    assert not [path for path in (home / "shop/.samoloop/worktrees").iterdir() if path.is_dir()]
