"""Wherever a project, its repository, its home and its CLI lie, a child finds its work in the box and can keep it."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from kit import GOOD_CHILD, git, make_repo, samoloop, script, scripted_project

from samoloop.config.loading import load
from samoloop.worker import box

IDENTITY = "git -c user.name=Ada -c user.email=ada@example.org"
COMMIT = (
    f'cd "$SAMOLOOP_WORKTREE" && echo new > new.txt && git add new.txt && {IDENTITY} commit --quiet -m "From inside"'
)


def acting(deed: str) -> str:
    """A child that does it once, keeps what it said and how it ended in its session, and goes on as a good one."""
    once = f'[ -e deed ] || {{ ( {deed} ) > said 2>&1; echo $? > deed; }}; cd "$SAMOLOOP_SESSION_DIR"\n'
    return once + GOOD_CHILD


def run(root: Path, env: Mapping[str, str] | None = None, *words: str) -> tuple[int, str]:
    """Hand off, and give how the deed ended and what it said."""
    done = samoloop(root, "run", "Task", "--no-wait", *words, env=env)
    assert done.returncode == 3, done.stdout + done.stderr
    [deed] = root.glob("_sessions/*/deed")
    return int(deed.read_text()), deed.with_name("said").read_text()


def configured(root: Path, child: Path, **settings: object) -> Path:
    """A project with a child that stands somewhere else."""
    said = {"provider": "scripted", "providers": {"scripted": {"command": [str(child)]}}, **settings}
    (root / ".samoloop.yaml").write_text(json.dumps(said))
    return root


NAMES = {
    "spaces and quotes": 'it\'s "my" $HOME `x`',
    "unicode": "Ä日本\u200b",
    "200 folders deep": "/".join(["d"] * 200),
    "dashes": "--bind",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_path_may_hold_anything(tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    place.parent.mkdir(parents=True, exist_ok=True)
    assert run(scripted_project(place, acting(COMMIT))) == (0, "")
    assert "From inside" in git(place / "repo", "log", "--all", "--format=%s")


def test_a_worktree_on_another_file_system(tmp_path: Path) -> None:
    if not os.access("/dev/shm", os.W_OK) or Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other file system")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        (tmp_path / "trees").symlink_to(place)
        child = script(tmp_path, acting(COMMIT))
        root = configured(make_repo(tmp_path / "repo"), child, worktrees=str(tmp_path / "trees"))
        assert run(root) == (0, "")
    assert "From inside" in git(root, "log", "--all", "--format=%s")


def test_a_survey_reads_the_coverage_lists_of_earlier_sessions_and_nothing_else_of_them(tmp_path: Path) -> None:
    deed = 'cat "$SAMOLOOP_SESSION_DIR"/_logs/earlier-*; ls "$SAMOLOOP_SESSION_DIR/.." | wc -l'
    once = f"[ -e deed ] || {{ ( {deed} ) > said 2>&1; echo $? > deed; }}\n"
    waits = '{"status": "waiting", "phase": "survey", "for": "human_action", "reason": "Plug it in."}'
    root = scripted_project(tmp_path, f"{once}signal '{waits}'")
    earlier, secret = root / "_sessions" / "25-01-02-old", tmp_path / "secret"
    earlier.mkdir(parents=True)
    (earlier / "01-02-1000-plan-areas.md").write_text("# Coverage: all of it\n")
    other = root / "_sessions" / "25-01-03-other"
    other.mkdir()
    (other / "01-03-1000-plan-work.md").write_text("# A plan of work\n")
    liar = root / "_sessions" / "25-01-04-liar"
    liar.mkdir()
    secret.write_text("# Coverage: a secret\n")
    (liar / "01-04-1000-plan-areas.md").symlink_to(secret)
    assert run(root, None, "--workflow", "audit") == (0, "# Coverage: all of it\n1\n")


# --- the repository ---------------------------------------------------------------------------------------------------


def test_a_repository_whose_git_is_a_file(tmp_path: Path) -> None:
    root = scripted_project(tmp_path, acting(COMMIT))
    git(root, "init", "--quiet", "--separate-git-dir", str(tmp_path / "elsewhere"))
    assert (root / ".git").is_file()
    assert run(root) == (0, "")
    assert "From inside" in git(root, "log", "--all", "--format=%s")


def test_a_submodule_as_project(tmp_path: Path) -> None:
    part, whole = make_repo(tmp_path / "part"), make_repo(tmp_path / "whole")
    git(whole, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(part), "part")
    root = configured(whole / "part", script(tmp_path, acting(COMMIT)))
    assert run(root) == (0, "")
    assert "From inside" in git(root, "log", "--all", "--format=%s")


def test_objects_that_lie_in_another_repository(tmp_path: Path) -> None:
    make_repo(tmp_path / "first")
    home = tmp_path / "home"
    (tmp_path / "first").rename(home_of := tmp_path / "hidden")
    home.mkdir()
    git(tmp_path, "clone", "--quiet", "--shared", str(home_of), "second")
    git(tmp_path, "clone", "--quiet", "--shared", "second", "repo")
    root = configured(tmp_path / "repo", script(tmp_path, acting(f"{COMMIT} && git show HEAD~:hello.txt")))
    assert run(root, {"HOME": str(home)}) == (0, "hello\n")


def test_a_sparse_checkout(tmp_path: Path) -> None:
    root = scripted_project(tmp_path, acting(f"{COMMIT} && git status --porcelain && git sparse-checkout list"))
    (root / "sub").mkdir()
    (root / "sub" / "a.txt").write_text("a\n")
    git(root, "add", "sub")
    git(root, "commit", "--quiet", "-m", "Second")
    git(root, "sparse-checkout", "set", "sub")
    code, said = run(root)
    assert code == 0, said


def test_branches_that_are_packed_meanwhile_can_be_written(tmp_path: Path) -> None:
    root = scripted_project(
        tmp_path, f'if [ -e "$SAMOLOOP_SESSION_DIR/go" ]; then {acting(COMMIT)}\nexit; fi\n' + GOOD_CHILD
    )
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    git(root, "pack-refs", "--all")
    assert not (root / ".git" / "refs" / "heads" / "samoloop").exists()
    [session] = root.glob("_sessions/*-a")
    (session / "go").touch()
    done = samoloop(root, "resume", "a", "--yes", "--no-wait")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (session / "said").read_text() == ""
    assert "From inside" in git(root, "log", "--all", "--format=%s")


def test_other_branches_stay_where_they_are(tmp_path: Path) -> None:
    move = "git update-ref refs/heads/samoloop/{} HEAD"
    root = scripted_project(tmp_path, acting(f"{COMMIT}; {move.format('other')}; {move.format('deep/other')}; true"))
    for name in ("other", "deep/other"):
        git(root, "branch", f"samoloop/{name}")
    refs = git(root, "for-each-ref", "refs/heads/samoloop/other", "refs/heads/samoloop/deep")
    assert "other" in run(root)[1]
    assert git(root, "for-each-ref", "refs/heads/samoloop/other", "refs/heads/samoloop/deep") == refs


def test_housekeeping_from_inside_harms_nothing(tmp_path: Path) -> None:
    keep = "git pack-refs --all; git gc --quiet --prune=now; git repack -ad"
    deed = f'{COMMIT}; {keep}; {IDENTITY} commit -q --allow-empty -m "Second"'
    root = scripted_project(tmp_path, acting(deed))
    git(root, "commit", "--quiet", "--allow-empty", "-m", "Packed")
    git(root, "gc", "--quiet")
    refs, packs = git(root, "for-each-ref", "refs/heads/trunk"), sorted((root / ".git/objects/pack").iterdir())
    code, said = run(root)
    assert code == 0
    assert "Read-only file system" in said
    assert git(root, "for-each-ref", "refs/heads/trunk") == refs
    assert set(packs) <= set((root / ".git/objects/pack").iterdir())
    assert git(root, "fsck", "--no-dangling") == ""
    assert "Second" in git(root, "log", "--all", "--format=%s")


# --- the home ---------------------------------------------------------------------------------------------------------

LOOK = 'ls -A "$HOME"; cat "$HOME/secret"; touch "$HOME/mine" && cat "$HOME/.gitconfig"'


def homely(home: Path) -> Path:
    home.mkdir(parents=True)
    (home / "secret").write_text("secret\n")
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n")
    return home


def test_a_home_is_hidden_but_for_what_is_named(tmp_path: Path) -> None:
    home = homely(tmp_path / "home")  # below /tmp, which is hidden too
    code, said = run(scripted_project(tmp_path, acting(LOOK)), {"HOME": str(home)})
    assert code == 0
    assert "secret\n" not in said
    assert "No such file or directory" in said
    assert "name = Ada" in said
    assert not (home / "mine").exists()


def test_tools_and_caches_that_a_home_has_not_got_are_not_looked_for_before_each_child(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".cargo" / "bin").mkdir(parents=True)
    (home / ".npm").mkdir()
    environ = {"HOME": str(home)}
    project = make_repo(tmp_path / "project")
    paths = box.of_project(load(project, environ), project, environ).paths
    known = {home / name for name in (*box.CACHES, *box.TOOLS)}
    assert {path for path in paths if path in known and path.name != ".gitconfig"} == {
        home / ".cargo" / "bin",
        home / ".npm",
    }


def test_a_home_that_is_a_link(tmp_path: Path) -> None:
    homely(tmp_path / "disk" / "ada")
    (tmp_path / "home").symlink_to(tmp_path / "disk" / "ada")
    code, said = run(scripted_project(tmp_path, acting(LOOK)), {"HOME": str(tmp_path / "home")})
    assert code == 0, said
    assert "name = Ada" in said
    assert "No such file or directory" in said
    assert not (tmp_path / "disk" / "ada" / "mine").exists()


def test_a_project_in_a_home_that_is_a_link(tmp_path: Path) -> None:
    homely(tmp_path / "disk" / "ada")
    (tmp_path / "home").symlink_to(tmp_path / "disk" / "ada")
    root = scripted_project(tmp_path / "home" / "projects", acting(COMMIT))
    assert run(root, {"HOME": str(tmp_path / "home")}) == (0, "")


def test_no_home_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = scripted_project(tmp_path, acting(COMMIT))
    state = tmp_path / "state"
    done = subprocess.run(
        ["env", "-u", "HOME", sys.executable, "-m", "samoloop", "run", "Task", "--no-wait"],
        cwd=root,
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(state), "XDG_CONFIG_HOME": str(tmp_path / "config")},
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    [deed] = root.glob("_sessions/*/deed")
    assert (deed.read_text(), deed.with_name("said").read_text()) == ("0\n", "")


# --- the CLI ----------------------------------------------------------------------------------------------------------


def installed(home: Path, kind: str, body: str) -> Path:
    """A CLI as an installer would leave it in a home; the path by which its person starts it."""
    at, name = {
        "nvm": (".nvm/versions/node/v20/lib/node_modules/cli/bin", ".nvm/versions/node/v20/bin/cli"),
        "npm prefix": (".npm-global/lib/node_modules/@some/cli/dist", ".npm-global/bin/cli"),
        "own prefix": ("tools/lib/node_modules/cli", "tools/bin/cli"),
        "pipx": (".local/share/pipx/venvs/cli/bin", ".local/bin/cli"),
        "one file": (".local/share/cli/versions/1.2", ".local/bin/cli"),
        "a folder of its own": (".cli/bin", ".local/bin/cli"),
    }[kind]
    (home / at).mkdir(parents=True)
    (home / at / "part").write_text("part\n")
    program = script(home / at, body)
    link = home / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(os.path.relpath(program, link.parent))
    return link


@pytest.mark.parametrize("kind", ["nvm", "npm prefix", "own prefix", "pipx", "one file", "a folder of its own"])
def test_a_cli_in_the_home_is_found_with_what_it_is_made_of(tmp_path: Path, kind: str) -> None:
    home = homely(tmp_path / "home")
    part = "" if kind == "one file" else 'cat "$(dirname "$(readlink -f "$0")")/part"; '
    link = installed(home, kind, acting(f'{part}[ ! -e "$HOME/secret" ]'))
    root = configured(make_repo(tmp_path / "repo"), link)
    assert run(root, {"HOME": str(home)}) == (0, "part\n" if part else "")


def test_a_project_in_the_home_beside_others(tmp_path: Path) -> None:
    home = homely(tmp_path / "home")
    make_repo(home / "code" / "other")
    deed = f'{COMMIT}; ls -A "$HOME/code"; ls -A "$HOME/code/mine/repo"'
    root = scripted_project(home / "code" / "mine", acting(deed))
    assert run(root, {"HOME": str(home)}) == (0, "mine\n.git\n.samoloop\n_sessions\n")


# --- the settings and the environment ---------------------------------------------------------------------------------


def test_a_person_adds_paths_and_one_that_does_not_exist_is_no_matter(tmp_path: Path) -> None:
    home = homely(tmp_path / "home")
    own = home / ".config" / "samoloop" / "config.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({"sandbox": {"read": ["~/secret", "~/nowhere"], "write": ["~/out", "/no/where"]}}))
    (home / "out").mkdir()
    deed = 'cat "$HOME/secret"; echo x > "$HOME/out/x"; echo y > "$HOME/secret"'
    code, said = run(scripted_project(tmp_path, acting(deed)), {"HOME": str(home)})
    assert code != 0
    assert said.startswith("secret\n")
    assert "Read-only file system" in said
    assert (home / "out" / "x").read_text() == "x\n"


def test_proxies_reach_a_child_and_doors_to_services_do_not(tmp_path: Path) -> None:
    env = {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "SSH_AUTH_SOCK": "/tmp/agent",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/x",
    }
    code, said = run(scripted_project(tmp_path, acting("env")), env)
    assert code == 0
    assert "HTTPS_PROXY=http://127.0.0.1:9\n" in said
    assert "SSH_AUTH_SOCK" not in said
    assert "DBUS" not in said


def test_in_place_a_child_writes_the_folder_and_not_its_repository(tmp_path: Path) -> None:
    deed = 'cd "$SAMOLOOP_WORKTREE" && echo new > new.txt && git status --short new.txt; ls _sessions; echo x > .git/x'
    root = scripted_project(tmp_path, acting(deed))
    (root / "_sessions" / "26-01-01-other").mkdir(parents=True)
    code, said = run(root, None, "--in-place")
    assert code != 0
    assert "?? new.txt" in said
    assert "26-01-01-other" not in said
    assert "Read-only file system" in said
    assert (root / "new.txt").exists()


def test_the_setup_command_is_in_the_box_too(tmp_path: Path) -> None:
    home = homely(tmp_path / "home")
    setup = 'echo made > made.txt; ls -A "$HOME" > seen.txt; (echo x > "$HOME/x"); echo x > ../../../x'
    root = configured(make_repo(tmp_path / "repo"), script(tmp_path, GOOD_CHILD), setup=f"{setup}; true")
    done = samoloop(root, "run", "Task", "--no-wait", env={"HOME": str(home)})
    assert done.returncode == 3, done.stdout + done.stderr
    [worktree] = (root / ".samoloop" / "worktrees").glob("*-*")
    assert (worktree / "made.txt").exists()
    assert "secret" not in (worktree / "seen.txt").read_text()
    assert not (home / "x").exists()
    assert not (root / "x").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a folder to others")
def test_a_cache_of_another_group_is_empty_and_can_be_filled(tmp_path: Path) -> None:
    cache = Path(os.environ["HOME"], ".npm")
    cache.mkdir()
    (cache / "old").write_text("x")
    for path in (cache, cache / "old"):
        os.chown(path, 0, 12345)
    root = make_repo(tmp_path / "repo")
    done = samoloop(root, "sandbox", "--", "sh", "-c", "mkdir -p ~/.npm && echo new > ~/.npm/old && cat ~/.npm/*")
    assert (done.returncode, done.stdout) == (0, "new\n"), done.stderr
    assert (cache / "old").read_text() == "x"
