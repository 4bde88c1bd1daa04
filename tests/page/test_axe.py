"""Every page, by day and night, at a desk and on a phone: axe finds nothing serious, and nothing is wider than it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import axe
import pytest
from filled import Played, fill, url_of
from window import DESK, PHONE, Person, Web

SHARED = ("/", "/backlog", "/new", "/stats", "/search?q=shop", "/search?q=", "/no-such-page")
OF_A_DONE_ONE = (
    "",
    "/log/2",
    "/log/8",
    "/prompt/4",
    "/checks",
    "/report",
    "/diff",
    "/diff/6",
    "/document/_qa.md",
    "/document/_overview.md",
    "/document/11-21-0900-plan-x.md",
)
_WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("colors", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_keeps_anybody_from_any_page(
    size: dict[str, int],
    colors: str,
    played: Played,
    home: Path,
    tmp_path: Path,
    open_web: Callable[..., Web],
    meet: Callable[..., Person],
) -> None:
    folders = fill(played, tmp_path, "shop")
    options: dict[str, Any] = {"viewport": size, "color_scheme": colors}
    person = meet(open_web(folders["done"].parent.parent), **options)
    urls = list(SHARED)
    for moment, folder in folders.items():
        start = url_of(folder)
        urls += [start, *([f"{start}/gate"] if moment in ("asks", "plans", "acts") else [])]
        urls += [start + path for path in OF_A_DONE_ONE] if moment == "done" else []
    found = []
    for url in urls:
        page = person.go(url)
        found += [f"{url}: {one}" for one in axe.complaints(page)]
        if (wider := page.evaluate(_WIDER)) > 0:
            found.append(f"{url} is wider than the screen by {wider} px")
    assert not found, "\n".join(found)
