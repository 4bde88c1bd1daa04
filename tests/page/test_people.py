"""Several people at one gate, on pages and on a terminal: the first word counts, and the others are told."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from filled import MARK, Played, fill, url_of
from kit import samoloop
from playwright.sync_api import Page, expect
from window import Person, Web

from samoloop.core.session import Session

Opens, Meets = Callable[..., Web], Callable[..., Person]


@pytest.fixture
def folders(played: Played, home: Path, tmp_path: Path) -> dict[str, Path]:
    """A session at each moment."""
    return fill(played, tmp_path, "shop")


def gate_of(person: Person, folder: Path, path: str = "/gate") -> Page:
    return person.go(url_of(folder) + path)


def call_yourself(person: Person, name: str) -> None:
    person.page.get_by_label("The journal calls you").fill(name)
    person.page.get_by_role("button", name="Keep").click()
    expect(person.page.get_by_label("The journal calls you")).to_have_value(name)


@pytest.mark.parametrize("js", [True, False], ids=["with JavaScript", "without"])
def test_of_two_people_the_first_counts_and_the_other_is_told_and_keeps_what_they_wrote(
    js: bool, folders: dict[str, Path], open_web: Opens, meet: Meets
) -> None:
    web = open_web(folders["done"].parent.parent)
    ann, bob = (meet(web, java_script_enabled=js) for _ in range(2))
    call_yourself(ann, "Ann")
    call_yourself(bob, "Bob")
    pages = [gate_of(person, folders["plans"]) for person in (ann, bob)]
    pages[1].get_by_label("What should change").fill("Use another library.")
    pages[0].get_by_role("button", name="Approve").click()
    expect(pages[0].get_by_role("status").first).to_contain_text("Approved")
    pages[1].get_by_role("button", name="Request changes").click()
    expect(pages[1].get_by_role("alert")).to_contain_text(re.compile("Ann"))
    expect(pages[1].get_by_role("main")).to_contain_text("Use another library.")
    assert "Use another library" not in (folders["plans"] / "_approval.md").read_text()


def test_an_answer_that_comes_after_one_on_the_terminal_changes_nothing_and_is_said(
    folders: dict[str, Path], open_web: Opens, meet: Meets
) -> None:
    root = folders["done"].parent.parent
    page = gate_of(meet(open_web(root), java_script_enabled=False), folders["asks"])
    page.get_by_role("group").nth(0).get_by_role("radio").nth(1).check()
    page.get_by_label("In words").nth(1).fill("mine")
    done = samoloop(root, "answer", folders["asks"].name, "Q1=A", "Q2=theirs")
    assert done.returncode == 0, done.stderr
    page.get_by_role("button", name="Send the answers").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("mine")
    text = (folders["asks"] / "_qa.md").read_text()
    assert "theirs" in text
    assert "mine" not in text


def test_a_plan_that_changed_since_it_was_on_the_screen_is_not_approved_and_the_difference_is_shown(
    folders: dict[str, Path], open_web: Opens, meet: Meets
) -> None:
    page = gate_of(meet(open_web(folders["done"].parent.parent), java_script_enabled=False), folders["plans"])
    plan = folders["plans"] / "11-21-0900-plan-x.md"
    plan.write_text(plan.read_text() + "- [ ] 1.3 remove all tests\n")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_contain_text("changed")
    expect(page.locator(".difference ins")).to_contain_text("remove all tests")
    assert Session(folders["plans"]).state().gate is not None
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("status").first).to_contain_text("Approved")


@pytest.mark.parametrize("path", ["", "/gate"])
def test_what_is_typed_stays_while_the_page_brings_what_is_new(
    path: str, folders: dict[str, Path], open_web: Opens, meet: Meets
) -> None:
    root = folders["done"].parent.parent
    page = gate_of(meet(open_web(root)), folders["asks"], path)
    page.evaluate("window.same = true")
    typed = page.get_by_role("group", name="Q2").get_by_label("In words")
    typed.fill("half a sentence")
    page.get_by_role("group").nth(0).get_by_role("radio").nth(1).check()
    typed.focus()
    done = samoloop(root, "answer", folders["asks"].name, "Q1=A")
    assert done.returncode == 0, done.stderr
    expect(page.get_by_role("main")).to_contain_text(re.compile("Answered by|answered"))
    expect(typed).to_have_value("half a sentence")
    expect(typed).to_be_focused()
    assert page.evaluate("window.same") is True
    assert MARK not in page.content()
