"""Whatever stands in any field that a child or a file name can fill: nothing of it runs, loads or leads away.

The page's policy is switched off in the browser for all but one test, so that escaping alone has to hold.
"""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import filled
import pytest
from audit import strange
from playwright.sync_api import Error as PlaywrightError
from texts import ACTIVE, TEXTS
from window import PHONE, Client, Person, Web

GROUPS = 12
OF_A_DONE_ONE = (
    "",
    "/log/2",
    "/prompt/4",
    "/checks",
    "/report",
    "/document/_qa.md",
    "/document/_overview.md",
    "/document/11-21-0900-plan-x.md",
)
PATHS = {
    "blocked": ("",),
    "damaged": ("",),
    "works": ("",),
    "asks": ("", "/gate"),
    "plans": ("/gate",),
    "acts": ("/gate",),
    "done": OF_A_DONE_ONE,
}
SHARED = ("/", "/backlog", "/new", "/stats", "/search?q=hit", "/search?q=example")


def urls_of(folders: dict[str, Path]) -> list[str]:
    return [filled.url_of(folder) + path for moment, folder in folders.items() for path in PATHS[moment]]


def addresses_with(text: str, folder: Path) -> list[str]:
    """Addresses that hold the text where somebody else may have put it."""
    spelled, start = quote(text[:1500], safe=""), filled.url_of(folder)
    return [f"/search?q={spelled}", f"{start}/document/{spelled}"]


def look(person: Person, url: str) -> list[str]:
    """What is wrong with a page, once it is loaded."""
    answer = person.page.goto(person.web.origin + url, wait_until="load")
    assert answer is not None and answer.status < 500, (url, answer)
    found = [f"{url}: {what}" for what in strange(person.page)]
    found += [f"{url}: it ran: {hit}" for hit in person.hits]
    found += [f"{url}: it asked for {far}" for far in person.strayed]
    found += [f"{url}: led to {person.page.url}"] if not person.page.url.startswith(person.web.origin) else []
    person.hits.clear()
    person.strayed.clear()
    return found


def test_what_stands_in_the_fields_reaches_the_pages(
    played: filled.Played, home: Path, tmp_path: Path, open_web: Callable[..., Web], call: Callable[[Web], Client]
) -> None:
    word = "Findable77word"
    folders = filled.fill(played, tmp_path, word)
    client = call(open_web(tmp_path))
    with filled.at_work(folders["works"]):
        shown = {url: client.get(url).text.count(word) for url in (*urls_of(folders), "/", "/backlog")}
    assert [url for url, times in shown.items() if times < 1] == []
    assert sum(shown.values()) > 150, shown


def test_nothing_is_refused_by_the_policy_where_nobody_is_hostile(
    played: filled.Played, home: Path, tmp_path: Path, open_web: Callable[..., Web], meet: Callable[..., Person]
) -> None:
    folders = filled.fill(played, tmp_path, "shop")
    person = meet(open_web(tmp_path))
    found = [fault for url in (*urls_of(folders), *SHARED) for fault in look(person, url)]
    assert found == []
    assert [said for said in person.errors if "the server responded with a status of 409" not in said] == []  # damaged


@pytest.mark.parametrize("text", ACTIVE[::9])
def test_no_text_of_a_stranger_does_anything_with_the_policy(
    text: str,
    played: filled.Played,
    home: Path,
    tmp_path: Path,
    open_web: Callable[..., Web],
    meet: Callable[..., Person],
) -> None:
    folders = filled.fill(played, tmp_path, text)
    person = meet(open_web(tmp_path))
    person.listen()
    found = [fault for url in (*urls_of(folders), "/") for fault in look(person, url)]
    assert found == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("group", range(GROUPS))
def test_no_text_of_a_stranger_does_anything_without_the_policy(
    group: int, played: filled.Played, tmp_path: Path, open_web: Callable[..., Web], meet: Callable[..., Person]
) -> None:
    texts = TEXTS[group::GROUPS]
    projects = [filled.fill(played, tmp_path / str(number), text) for number, text in enumerate(texts)]
    person = meet(open_web(tmp_path), bypass_csp=True, viewport=PHONE)
    person.listen()
    if group % 4:  # in the others each page is also put in its own place anew, as it is where something changed
        person.context.add_init_script("delete window.EventSource")
    with filled.at_work(*(folders["works"] for folders in projects)):
        found = [fault for url in SHARED for fault in look(person, url)]
        for text, folders in zip(texts, projects, strict=True):
            person.call_themselves(text)
            for url in (*urls_of(folders), *addresses_with(text, folders["done"])):
                found += [f"{text[:60]!r} {fault}" for fault in look(person, url)]
    assert not found, "\n".join(found[:40])


def test_no_name_and_no_content_of_a_file_in_a_diff_does_anything(
    played: filled.Played, home: Path, tmp_path: Path, open_web: Callable[..., Web], meet: Callable[..., Person]
) -> None:
    folders = filled.fill(played, tmp_path, "shop")
    person = meet(open_web(tmp_path), bypass_csp=True)
    person.listen()
    url = filled.url_of(folders["done"])
    found = [fault for path in ("/diff", "/diff/6", "/diff/7") for fault in look(person, url + path)]
    assert not found, "\n".join(found[:40])


def test_the_suite_sees_a_text_that_is_put_on_a_page_as_it_is(
    home: Path, tmp_path: Path, open_web: Callable[..., Web], meet: Callable[..., Person]
) -> None:
    person = meet(open_web(tmp_path), bypass_csp=True)
    person.listen()
    unseen = []
    page = person.page
    for text in ACTIVE:
        try:
            page.goto(person.web.origin)
            page.set_content(f"<!doctype html><title>x</title><main><p>{text}</p></main>")
            seen = strange(page, ()) or person.hits or person.strayed
        except PlaywrightError as error:
            assert "navigation" in str(error), (text, error)  # it led the browser away meanwhile
            seen = ["away"]
            page = person.context.new_page()
        if not seen:
            unseen.append(text)
        person.hits.clear()
        person.strayed.clear()
    assert unseen == []
