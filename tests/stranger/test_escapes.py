"""No command passes on to a terminal what a child wrote to act on it, wherever the child wrote it."""

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest
from kit import GOOD_CHILD, git, scripted_project

from samoloop.base.printable import UNSEEN
from samoloop.ui.telegram.text import escape

EVIL = "PWN\x1b]0;title\x07\x1b[2J\x1b[31m\x9b31m\x85\x7f\r\u200e\u200f\u061c\u202e\u2066gnp"
NAME = EVIL  # everything in it may stand in a file's name
BRANCH = "PWN\x9b31m\u202e"  # git refuses the other ones
IN_JSON = json.dumps(EVIL)[1:-1]

CHILD = """
evil=$(cat {folder}/evil); printf '%s\\n' "$evil"; printf '%s\\n' "$evil" >&2
cd "$SAMOLOOP_WORKTREE"
git config user.name "$evil" && git config user.email ada@example.org
date +%N > "$evil.txt"; git add --all; git commit --quiet -m "$evil"; git branch "$(cat {folder}/branch)" 2>/dev/null
cd "$SAMOLOOP_SESSION_DIR"
date +%N > "$evil.md"
mkdir -p "../x$evil" && printf '%s\\n' "$evil" > "../x$evil/_history.jsonl"
[ $SAMOLOOP_PHASE != requirements ] || [ -f asked ] || {{
  touch asked
  printf '# Questions\\n\\n### Q1: %s?\\n%s\\nA) %s\\nB) two\\n' "$evil" "$evil" "$evil" > _qa.md
  printf '**Suggestion:** A - %s\\n**Answer:** _waiting_\\n' "$evil" >> _qa.md
  signal '{{"status": "waiting", "for": "qa_answers", "summary": "{json}", "reason": "{json}"}}'; exit
}}
[ $SAMOLOOP_PHASE != planning ] || {{ printf '%s\\n' "$evil" > plan.md; plan plan.md; exit; }}
[ $SAMOLOOP_PHASE != implementation ] || {{
  signal '{{"status": "blocked", "reason": "{json}", "summary": "{json}"}}'
  cp _signal.json {folder}/signal.json; exit 3
}}
printf '# T\\n\\n## Status\\nPhase: %s\\nNext: %s\\n\\n## Flow Log\\n- %s\\n' "$evil" "$evil" "$evil" > _overview.md
"""


def acts_on_a_terminal(text: str) -> list[str]:
    """Each character that does, beside line feeds and tabs."""
    return sorted({f"U+{ord(letter):04X}" for letter in text if ord(letter) in UNSEEN and letter not in "\n\t"})


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A project after such a child, and all that `run` and the commands that close its gates have printed."""
    folder = tmp_path_factory.mktemp("evil")
    (folder / "evil").write_bytes(EVIL.encode())
    (folder / "branch").write_bytes(BRANCH.encode())
    root = scripted_project(folder, CHILD.format(folder=folder, json=IN_JSON) + GOOD_CHILD)
    said = []
    for words, code in (
        (["run", f"Task {EVIL}", "--session", "a", "--no-wait"], 3),
        (["questions", "a"], 0),
        (["questions", "a", "--json"], 0),
        (["status", "a"], 0),
        (["answer", "a", f"Q1={EVIL}"], 0),
        (["resume", "a", "--no-wait"], 3),
        (["questions", "a"], 0),
        (["tell", "a", EVIL], 0),
        (["approve", "a"], 0),
        (["resume", "a", "--no-wait"], 4),
    ):
        done = raw(root, *words)
        assert done.returncode == code, (words, done.stdout, done.stderr)
        said.append((done.stdout + done.stderr).decode())
    return root, said


def raw(root: Path, *words: str) -> "subprocess.CompletedProcess[bytes]":
    """The real command in a pipe, byte for byte: reading as text would turn each carriage return into a line feed."""
    command = [sys.executable, "-m", "samoloop", *words]
    nothing = subprocess.DEVNULL
    return subprocess.run(
        command, cwd=root, env=environ(root), stdin=nothing, capture_output=True, check=False, timeout=60
    )


def environ(root: Path) -> dict[str, str]:
    """The scene's own home: it outlives the test that made it."""
    return {**os.environ, "HOME": str(root.parent), "TERM": "xterm", "PAGER": "cat", "SAMOLOOP_SANDBOX": "off"}


def test_a_session_goes_its_way_and_prints_nothing_that_acts(scene: tuple[Path, list[str]]):
    for text in scene[1]:
        assert acts_on_a_terminal(text) == []
    assert sum("PWN" in text for text in scene[1]) >= 7  # it was shown


LOOKING = [
    ("list", "PWN"),
    ("list --json", "PWN"),
    ("status a", "PWN"),
    ("status a --json", "PWN"),
    ("questions a", "PWN"),
    ("questions a --json", "PWN"),
    ("log a", "PWN"),
    ("log a -n 1", "PWN"),
    ("log a -f", "PWN"),
    ("log a --json", "PWN"),
    ("prompt a", "PWN"),
    ("prompt a --json", "PWN"),
    ("diff a", "PWN"),
    ("diff a -n 1", "PWN"),
    ("doctor", ""),
    ("doctor --json", ""),
    ("projects list", ""),
    ("skills list", ""),
    ("signal check SIGNAL", "blocked"),
    ("signal check NAME", "PWN"),
    ("workflows show NAME", "PWN"),
    ("workflows check NAME", "PWN"),
    ("status NAME", "PWN"),
    ("answer a NAME", "PWN"),
    ("approve a --sha NAME", "PWN"),
    ("nothing NAME", "nothing"),
    ("NAME", "PWN"),
    ("run --file NAME", "PWN"),
    ("run x --from NAME", "PWN"),
]


@pytest.mark.parametrize(("words", "shows"), LOOKING, ids=[words for words, _ in LOOKING])
def test_what_a_command_prints_only_shows(scene: tuple[Path, list[str]], words: str, shows: str):
    root, _ = scene
    places = {"SIGNAL": str(root.parent / "signal.json"), "NAME": EVIL}
    done = raw(root, *(places.get(word, word) for word in words.split()))
    text = (done.stdout + done.stderr).decode()
    assert "Traceback" not in text and shows in text
    assert acts_on_a_terminal(text) == []
    if words.endswith("--json") and not words.startswith("log"):
        json.loads(done.stdout)


def test_json_says_what_was_written_all_the_same(scene: tuple[Path, list[str]]):
    found = json.loads(raw(scene[0], "status", "a", "--json").stdout)
    assert EVIL.split("\x85")[0] in found["title"]


def test_the_report_only_shows(scene: tuple[Path, list[str]]):
    [row] = [row for row in json.loads(raw(scene[0], "list", "--json").stdout) if row["condition"] != "damaged"]
    text = (Path(row["folder"]) / "_report.md").read_bytes().decode()
    assert "PWN" in text and acts_on_a_terminal(text) == []


def on_terminal(root: Path, *words: str) -> str:
    """What a command writes to a terminal, our own colours and movements taken away."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(root)
        os.execve(sys.executable, [sys.executable, "-m", "samoloop", *words], environ(root))
    written = b""
    while select.select([terminal], [], [], 60)[0]:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        written += data
    os.close(terminal)
    os.waitpid(pid, 0)
    assert b"\x1b[" in written or words[0] != "list"  # it knew that it was one
    return re.sub(r"\x1b\[[0-9;]*m", "", written.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("words", ["list", "status a", "questions a", "log a", "log a --raw", "diff a", "prompt a"])
def test_on_a_terminal_there_are_our_own_colours_and_no_other(scene: tuple[Path, list[str]], words: str):
    text = on_terminal(scene[0], *words.split())
    assert "PWN" in text and acts_on_a_terminal(text) == []


def test_a_phone_is_shown_nothing_that_reorders_or_acts():
    assert acts_on_a_terminal(escape("".join(map(chr, UNSEEN)))) == []


def test_the_names_that_the_child_gave_are_there(scene: tuple[Path, list[str]]):
    """The scene is what it seems to be."""
    assert BRANCH in git(scene[0], "branch", "--list", "--format=%(refname:short)")
    assert any(path.name.startswith("xPWN\x1b") for path in (scene[0] / "_sessions").iterdir())


def test_what_changes_a_session_only_shows_too(scene: tuple[Path, list[str]]):
    """The last one: the scene is another one then."""
    for words in ("up --once", "archive a", "fork a 1 --session b", "rewind a 1", "archive a --force"):
        done = raw(scene[0], *words.split())
        text = (done.stdout + done.stderr).decode()
        assert text and "Traceback" not in text and acts_on_a_terminal(text) == [], (words, text)
