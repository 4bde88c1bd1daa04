"""axe, which sees what keeps people from a page: `python tests/page/axe.py` gets it from npm, as the lock file pins it.

It goes into `.cache/page`; where there is no node, the one that the Python package index has is used.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
CACHE = ROOT / ".cache" / "page"
SCRIPT = CACHE / "node_modules" / "axe-core" / "axe.min.js"
_STAMP = CACHE / "package-lock.json"  # copied there; removed again where npm fails
_SERIOUS = ("serious", "critical")
_RUN = """async (impacts) => {
    const found = await axe.run(document, {resultTypes: ["violations"]});
    return found.violations.filter((one) => impacts.includes(one.impact)).map((one) =>
        `${one.impact}: ${one.help} (${one.id})\\n` + one.nodes.slice(0, 5).map((node) =>
            `    ${node.html.slice(0, 200)}\\n      ${(node.failureSummary || "").slice(0, 300)}`).join("\\n"));
}"""


def complaints(page: Any) -> list[str]:
    """What is serious or critical on a Playwright page, a text each."""
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(SCRIPT.read_text())  # not as a script element, which the page's policy forbids
    found = page.evaluate(_RUN, list(_SERIOUS))
    return [str(one) for one in found]


def install() -> None:
    """Put axe where `SCRIPT` is. Raises CalledProcessError with what npm said."""
    sys.path.insert(0, str(ROOT / "tests" / "e2e"))
    from install import install_node, node_in, node_on_path

    node = node_on_path()
    if node is None:
        install_node(CACHE / "node", Path(sys.executable))
        node = node_in(CACHE / "node")
    shutil.copy(HERE / "package.json", CACHE)
    shutil.copy(HERE / "package-lock.json", _STAMP)
    path = f"{node.program.parent}{os.pathsep}{os.environ['PATH']}"
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
    try:
        subprocess.run([*node.npm, "ci", *options], cwd=CACHE, env={**os.environ, "PATH": path}, check=True)
    except BaseException:
        _STAMP.unlink()
        raise


def main() -> None:
    """Install it where the pinned one is not there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    there = SCRIPT.is_file() and _STAMP.is_file() and _STAMP.read_bytes() == (HERE / "package-lock.json").read_bytes()
    if not there:
        install()


if __name__ == "__main__":
    main()
