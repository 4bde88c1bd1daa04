"""Completion in real shells: names by the Tab key, and how it is turned on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kit import GOOD_CHILD, Bench, make_repo, samoloop, script

BIN = Path(sys.executable).parent

BASH = """
. "$SCRIPT"
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=()
compopt() { echo "files: $2"; }
_samoloop_completion samoloop; printf '%s\\n' "${COMPREPLY[@]}"
"""
ZSH = """
zmodload zsh/zpty; zpty z zsh -f -i
zpty -w z "PS1=; . $SCRIPT; echo rea''dy"; zpty -r z out '*ready*'
zpty -n -w z "$*"$'\\t'; zpty -r z out "*$WANTED*" && print -r -- "$WANTED"; zpty -d z
"""


@pytest.fixture
def project(tmp_path: Path) -> Bench:
    """Two sessions, of which one asks."""
    bench = Bench(make_repo(tmp_path / "repo"), script(tmp_path, GOOD_CHILD))
    bench.session("Add login")
    asking = bench.session("Fix the till")
    bench.run(asking)
    return bench


def shell(name: str, *arguments: str, folder: Path, **more: str) -> list[str]:
    if not shutil.which(name):
        pytest.skip(f"there is no {name} here")
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **more}
    done = subprocess.run([name, *arguments], cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    assert done.stderr == "", done.stderr
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if line]


def in_bash(folder: Path, *words: str) -> list[str]:
    script = str(Path.home() / ".local/share/samoloop/completion.bash")
    return shell("bash", "-c", BASH, "bash", *words, folder=folder, SCRIPT=script)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("status ", ["fix-the-till", "add-login"]),
        ("status fi", ["fix-the-till"]),
        ("answer ", ["Q1=A", "Q1=B", "fix-the-till", "add-login"]),
        ("answer fix-the-till Q1 =", ["A", "B"]),  # bash takes `Q1=` for two words
        ("answer fix-the-till Q1 = B", ["B"]),
        ("run --until q", ["quality"]),
        ("run --workflow research --until inv", ["investigation"]),
        ("run --workflow re", ["refactor", "research", "review"]),
        ("run --provider op", ["opencode"]),
        ("run --profile arch", ["architect"]),
        ("run --file ", ["files: default"]),
        ("rewind fix-the-till ", ["2", "1", "0"]),
        ("statu", ["status"]),
    ],
)
@pytest.mark.slow
def test_bash_completes_names(project: Bench, words: str, found: list[str]) -> None:
    assert samoloop(project.root, "completion", "install", "bash").returncode == 0
    assert in_bash(project.root, "samoloop", *words.split(" ")) == found


def test_a_whole_name_is_completed_where_its_date_is_begun(project: Bench) -> None:
    samoloop(project.root, "completion", "install", "bash")
    two = in_bash(project.root, "samoloop", "status", "2")
    assert [name[9:] for name in two] == ["fix-the-till", "add-login"]


def test_outside_a_project_and_beside_broken_settings_there_is_nothing_and_no_word(
    project: Bench, tmp_path: Path
) -> None:
    samoloop(project.root, "completion", "install", "bash")
    (project.root / ".samoloop.yaml").write_text("{{{")
    plain = tmp_path / "plain"
    plain.mkdir()
    assert in_bash(plain, "samoloop", "status", "") == []
    assert in_bash(plain, "samoloop", "answer", "") == []
    assert in_bash(project.root, "samoloop", "run", "--until", "") == []
    assert in_bash(project.root, "samoloop", "status", "") == ["fix-the-till", "add-login"]


def test_zsh_and_fish_complete_too(project: Bench) -> None:
    for name in ("zsh", "fish"):
        assert samoloop(project.root, "completion", "install", name).returncode == 0
    script = str(Path.home() / ".local/share/samoloop/completion.zsh")
    wanted = "fix-the-till"
    if shutil.which("fish"):
        names = shell("fish", "-c", 'complete -C "samoloop status "', folder=project.root)
        assert sorted(names) == ["add-login", wanted]
    if shutil.which("zsh"):
        assert shell("zsh", "-c", ZSH, "zsh", "samoloop status fi", folder=project.root, SCRIPT=script, WANTED=wanted)


def test_install_says_what_it_did_and_does_it_once(own_home: Path, tmp_path: Path) -> None:
    (own_home / ".bashrc").write_text("alias x=y")
    first = samoloop(tmp_path, "completion", "install", env={"SHELL": "/bin/bash"})
    assert "Wrote: " in first.stdout and f"Added to {own_home / '.bashrc'}" in first.stdout
    before = (own_home / ".bashrc").read_text()
    assert before.startswith("alias x=y\n[ -r ")
    again = samoloop(tmp_path, "completion", "install", env={"SHELL": "/bin/bash"})
    assert again.stdout.count("Already there") == 2
    assert (own_home / ".bashrc").read_text() == before


def test_a_start_file_that_is_a_link_stays_one(own_home: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").write_text("# mine\n")
    (own_home / ".zshrc").symlink_to(tmp_path / "dotfiles")
    samoloop(tmp_path, "completion", "install", "zsh")
    assert (own_home / ".zshrc").is_symlink()
    assert "samoloop completion" in (tmp_path / "dotfiles").read_text()


def test_a_shell_that_is_not_known_is_asked_for(tmp_path: Path) -> None:
    done = samoloop(tmp_path, "completion", "install", env={"SHELL": "/bin/tcsh"})
    assert done.returncode == 2
    assert "your shell is tcsh; name one: samoloop completion install bash|zsh|fish" in done.stderr
