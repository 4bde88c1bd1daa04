"""Takes the page's pictures, docs/page-*.png, from a demo session: `.venv/bin/python tests/page/screens.py`."""

import os
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "page")]

from life import Life, shop  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402
from window import Person, Web  # noqa: E402

DOCS = ROOT / "docs"
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 780}
COLORS = 64
_PICTURES = """() => Promise.all([...document.images]
    .filter((image) => image.getBoundingClientRect().top < innerHeight).map((image) => image.decode()))"""
OTHERS = {"opening-hours": "Print the opening hours below each receipt", "till-report": "Sum up the day for the owner"}
MOST_BYTES = 150_000
IDENTITY = "[user]\nname = Ada\nemail = ada@example.org\n"


def main() -> None:
    """Play the session on the page, and take a picture where a person would look."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        home = Path(folder) / "ada"
        home.mkdir()
        (home / ".gitconfig").write_text(IDENTITY)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        environ = {**kept, "HOME": str(home), "SAMOLOOP_SANDBOX": "off"}
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        root = shop(home, home)
        with Web(root, environ, Path(folder) / "web.txt", "--port", "0") as web:
            take(browser, web, root, environ)
        browser.close()


def take(browser: Browser, web: Web, root: Path, environ: dict[str, str]) -> None:
    for name, task in OTHERS.items():
        command = [sys.executable, "-m", "samoloop", "run", "--no-wait", "--session", name, task]
        subprocess.run(command, cwd=root, env=environ, capture_output=True, check=False)
    with Person(browser, web, viewport=DESK) as desk, Person(browser, web, viewport=PHONE) as phone:
        desk.arrive()
        phone.arrive()
        life = Life(desk)
        life.hand_off()
        url = desk.page.url.removeprefix(web.origin)
        life.answer()
        life.see(desk.page.locator("article.plan"))
        save(desk, "plan-desk", url + "/gate")
        save(phone, "overview-phone", "/")
        save(phone, "plan-phone", url + "/gate#decide")
        desk.go(url)
        life.press("Approve")
        life.see_done()
        save(desk, "overview-desk", "/")
        save(desk, "session-desk", url + "#timeline")
        save(desk, "numbers-desk", "/stats")


def save(person: Person, name: str, path: str) -> None:
    """A picture of what is on the screen, in few colours, which keeps it small."""
    page = person.go(path)
    page.evaluate(_PICTURES)
    out = BytesIO()
    with Image.open(BytesIO(page.screenshot())) as taken:
        taken.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    size = len(out.getvalue())
    assert size < MOST_BYTES, f"{name} has {size} bytes"
    (DOCS / f"page-{name}.png").write_bytes(out.getvalue())
    print(f"page-{name}.png: {size} bytes")


if __name__ == "__main__":
    main()
