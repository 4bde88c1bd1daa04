"""The built wheel, installed outside the checkout without development tools, plays a whole session."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
PLACES = os.environ.get("SAMOLOOP_PYTHONS", "") + os.pathsep + os.environ.get("PATH", "")  # folders to look in


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from what git tracks: a build of ours that lies around does not help it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in tracked.decode().split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith(("tests/", "benchmarks/")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name)
    code = f"import hatchling.build as b; print(b.build_wheel({str(out)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def interpreter(version: str) -> str | None:
    """A Python of that version that runs."""
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        return sys.executable
    found = shutil.which(f"python{version}", path=PLACES)
    if found is None:
        return None
    done = subprocess.run([found, "-c", "import venv, ensurepip"], capture_output=True, check=False)
    return found if done.returncode == 0 else None


def test_the_wheel_holds_prompts_skills_and_examples_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for wanted in (
        "samoloop/phase_prompts/protocol.md",
        "samoloop/phase_prompts/workflows/feature.yaml",
        "samoloop/skills/dive/SKILL.md",
        "samoloop/core/signal.schema.json",
        "samoloop/py.typed",
    ):
        assert wanted in names
    assert any(name.startswith("samoloop/examples/") for name in names)
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]


@pytest.mark.slow
@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.timeout(300)
def test_an_installed_wheel_plays_the_demo(wheel, tmp_path, version):
    python = interpreter(version)
    if python is None:
        pytest.skip(f"Python {version} is not on this machine")
    subprocess.run([python, "-m", "venv", str(tmp_path / "venv")], check=True)
    binary = tmp_path / "venv" / "bin"
    install = [str(binary / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "-c", str(ROOT / "constraints.txt"), str(wheel)], check=True, cwd=tmp_path)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environ["PATH"] = f"{binary}:/usr/local/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["samoloop", "demo", "--yes"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The session is done" in done.stdout and "tests, OK" in done.stdout
    listed = subprocess.run([str(binary / "samoloop"), "workflows", "check"], cwd=tmp_path, env=environ, check=False)
    assert listed.returncode == 0
