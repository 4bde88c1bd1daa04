"""Toolchains in the sandbox, each tried for real: a small project builds and passes its tests there.

First it is done outside, as the person does, which fills their caches; where that cannot be done (no toolchain, no
registry) the test is skipped and says so. Inside, it works from those caches, and what it does to them is not kept.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from kit import make_repo

pytestmark = [pytest.mark.toolchains, pytest.mark.timeout(300)]

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version>
<properties><maven.compiler.release>17</maven.compiler.release></properties>
<dependencies><dependency><groupId>org.junit.jupiter</groupId><artifactId>junit-jupiter</artifactId>
<version>5.14.1</version><scope>test</scope></dependency></dependencies>
<build><plugins>
<plugin><artifactId>maven-resources-plugin</artifactId><version>3.3.1</version></plugin>
<plugin><artifactId>maven-compiler-plugin</artifactId><version>3.14.1</version></plugin>
<plugin><artifactId>maven-surefire-plugin</artifactId><version>3.2.5</version></plugin>
</plugins></build></project>
"""
JAVA = {
    "src/main/java/x/A.java": "package x; public class A { public static int two() { return 2; } }",
    "src/test/java/x/ATest.java": "package x; import org.junit.jupiter.api.*;\n"
    "class ATest { @Test void two() { Assertions.assertEquals(2, A.two()); } }",
}
JAVA_4 = {
    **JAVA,
    "src/test/java/x/ATest.java": "package x; public class ATest {"
    " @org.junit.Test public void two() { org.junit.Assert.assertEquals(2, A.two()); } }",
}


@dataclass(frozen=True)
class Toolchain:
    """A tool, a project of it, and how a person works with it."""

    program: str
    files: Mapping[str, str]
    outside: str  # shell: what a person does first; it fills the cache
    inside: str  # what a child does
    cache: str  # below the home folder
    lent: tuple[str, ...] = ()  # of the real home: where the tool itself is, or a cache that nobody can fill here
    says: str = ""  # where it worked from the cache
    clean: str = "rm -rf .venv node_modules target build"


TOOLCHAINS = {
    "npm": Toolchain(
        "npm",
        {
            "package.json": '{"name": "x", "version": "1.0.0", "dependencies": {"ms": "2.1.3"}}',
            "x.test.js": "require('node:test')('x', () => require('node:assert').equal(require('ms')('1s'), 1000))",
        },
        outside="npm install --no-audit --no-fund --no-package-lock",
        inside="npm install --no-audit --no-fund --no-package-lock --offline && node --test && npm cache clean --force",
        cache=".npm/_cacache",
        says="pass 1",
    ),
    "pip": Toolchain(
        "python3",
        {"test_x.py": "import inflection\n\ndef test_x():\n    assert inflection.underscore\n"},
        outside="python3 -m venv .venv && .venv/bin/pip install --no-input inflection==0.5.1 "
        "&& mkdir -p ~/.cache/pip && echo x > ~/.cache/pip/kept",  # some registries let nothing be kept
        inside="python3 -m venv .venv && .venv/bin/pip install --no-input inflection==0.5.1 "
        "&& .venv/bin/python -c 'import test_x; test_x.test_x()' && cat ~/.cache/pip/kept && rm -rf ~/.cache/pip/*",
        cache=".cache/pip",
        says="Successfully installed inflection",
    ),
    "uv": Toolchain(
        "uv",
        {"test_x.py": "import inflection\n\ndef test_x():\n    assert inflection.underscore\n"},
        outside="uv venv .venv && uv pip install inflection==0.5.1",
        inside="uv venv .venv && uv pip install --offline inflection==0.5.1 "
        "&& .venv/bin/python -c 'import test_x; test_x.test_x()' && uv cache clean",
        cache=".cache/uv",
        says="inflection==0.5.1",
    ),
    "cargo": Toolchain(
        "cargo",
        {
            "Cargo.toml": '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n',
            "src/lib.rs": "pub fn two() -> u8 { 2 }\n#[test]\nfn is_two() { assert_eq!(two(), 2); }\n",
        },
        outside="cargo test --offline && mkdir -p ~/.cargo/registry/cache && echo x > ~/.cargo/registry/cache/x",
        inside="cat ~/.cargo/registry/cache/x && cargo test --offline && rm -rf ~/.cargo/registry/cache/*",
        cache=".cargo/registry",
        lent=(".cargo/bin", ".rustup"),
        says="test is_two ... ok",
    ),
    "go": Toolchain(
        "go",
        {
            "go.mod": "module x\n\ngo 1.19\n",
            "x_test.go": 'package x\n\nimport "testing"\n\nfunc TestX(t *testing.T) {}\n',
        },
        outside="go test ./...",
        inside="go test ./... && go clean -cache",
        cache=".cache/go-build",
        says="(cached)",
    ),
    "maven": Toolchain(
        "mvn",
        {"pom.xml": POM, **JAVA},
        outside="mvn -o -B test",
        inside="mvn -o -B test && rm -rf ~/.m2/repository/org",
        cache=".m2/repository",
        lent=(".m2/repository",),
        says="Tests run: 1, Failures: 0",
    ),
    "gradle": Toolchain(
        "gradle",
        {
            "build.gradle": "apply plugin: 'java'\nrepositories { maven { url 'file:///usr/share/maven-repo' } }\n"
            "dependencies { testCompile 'junit:junit:4.x' }\n",
            **JAVA_4,
        },
        outside="gradle --offline --no-daemon test",
        inside="gradle --offline --no-daemon test && rm -rf ~/.gradle/caches/*",
        cache=".gradle/caches",
        says="BUILD SUCCESSFUL",
    ),
}


@pytest.fixture(params=TOOLCHAINS)
def tool(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    """It is on PATH, and the home has of the real one what it needs."""
    found = TOOLCHAINS[request.param]
    if request.param == "uv":
        _install_uv(tmp_path / "uv", monkeypatch)
    if shutil.which(found.program) is None:
        pytest.skip(f"{found.program} is not installed here")
    _lend(found)
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"-Duser.home={os.environ['HOME']}")  # Java asks the system, not HOME
    return found


def _install_uv(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip has it for everybody."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    done = subprocess.run([folder / "bin" / "pip", "install", "-q", "uv"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"uv cannot be had: {done.stderr[-200:]}")
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")


def _lend(tool: Toolchain) -> None:
    """Links to what lies in the home of whoever runs the tests; a cache is copied, by hard links."""
    import pwd

    real, home = Path(pwd.getpwuid(os.getuid()).pw_dir), Path(os.environ["HOME"])
    for name in tool.lent:
        if not (real / name).is_dir():
            pytest.skip(f"{real / name} is not there, and nothing fills it here")
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        if name == tool.cache:
            subprocess.run(["cp", "-al", real / name, home / name], check=True)
        else:
            (home / name).symlink_to(real / name)


def contents(folder: Path) -> Iterator[tuple[str, int, int]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path), path.stat().st_size, path.stat().st_mtime_ns


def test_a_project_is_built_and_tested_from_the_persons_caches_and_leaves_them_alone(tool: Toolchain, tmp_path: Path):
    root = make_repo(tmp_path / "repo")
    for name, text in tool.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    first = subprocess.run(["sh", "-c", tool.outside], cwd=root, capture_output=True, text=True, check=False)
    if first.returncode:
        pytest.skip(f"{tool.program} does not work here outside either: {(first.stdout + first.stderr)[-300:]}")
    subprocess.run(["sh", "-c", tool.clean], cwd=root, check=True)
    cache = Path(os.environ["HOME"], tool.cache)
    before = list(contents(cache))
    assert before

    command = [sys.executable, "-m", "samoloop", "sandbox", "--", "sh", "-c", tool.inside]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert tool.says in done.stdout + done.stderr
    assert list(contents(cache)) == before
