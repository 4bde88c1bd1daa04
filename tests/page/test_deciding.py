"""What is decided while a page shows it: nothing that a person did not read, by mouse or by keyboard."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kit import until
from playwright.sync_api import expect
from session_work import PLAN, Work

from samoloop.config.projects import register
from samoloop.core import gates
from samoloop.core.gates import Act, Verdict
from samoloop.ui.web.site import url_of


@pytest.fixture
def work(home: Path, tmp_path: Path) -> Work:
    register(tmp_path, os.environ)
    made = Work(tmp_path)
    made.live()
    return made


def test_what_comes_in_the_place_of_a_plan_is_not_approved_by_who_read_the_other_one(
    work: Work, open_web: Callable[..., Any], meet: Callable[..., Any]
) -> None:
    gate = work.show_plan()
    page = meet(open_web(work.root)).go(url_of(work.session))
    page.get_by_label("What should change").fill("my words")
    (work.dir / (gate.file or "")).write_text(PLAN.replace("5 minutes", "1 hour"))
    expect(page.get_by_text("This has changed or was decided since it was shown here.")).to_be_visible()
    expect(page.locator("article.plan")).to_contain_text("5 minutes")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("alert")).to_contain_text("The plan has changed since it was on your screen")
    expect(page.locator("pre.diff ins")).to_contain_text("1 hour")
    assert work.decision() is None
    page.get_by_role("button", name="Approve").click()
    until(lambda: (found := work.decision()) and found.verdict == Verdict.APPROVE)


def test_who_else_decides_is_said_while_one_looks(
    work: Work, open_web: Callable[..., Any], meet: Callable[..., Any]
) -> None:
    gate = work.show_plan()
    page = meet(open_web(work.root)).go(url_of(work.session))
    gates.act(work.dir, gate, Act(Verdict.APPROVE, "ada (command)"))
    expect(page.get_by_text("This has changed or was decided since it was shown here.")).to_be_visible()
    page.get_by_role("link", name="Load it again").click()
    expect(page.locator("#gate .decided")).to_contain_text("approved by ada (command)")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_by_keyboard_enter_sends_nothing_that_was_not_chosen(
    work: Work, open_web: Callable[..., Any], meet: Callable[..., Any]
) -> None:
    work.show_plan()
    page = meet(open_web(work.root)).go(url_of(work.session))
    page.keyboard.press("a")
    assert page.evaluate("document.activeElement.closest('#gate') !== null")
    page.get_by_text("Reject", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.get_by_label("Yes, reject this plan").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Tick that you want that")
    assert work.decision() is None


def test_after_a_form_was_refused_the_page_tells_what_changes_and_keeps_what_was_typed(
    work: Work, open_web: Callable[..., Any], meet: Callable[..., Any]
) -> None:
    gate = work.ask()
    page = meet(open_web(work.root)).go(url_of(work.session))
    page.get_by_label("In words").nth(0).fill("Z")
    page.get_by_label("In words").nth(1).fill("my words")
    page.get_by_role("radio").nth(3).check()
    page.get_by_role("button", name="Send the answers").click()
    expect(page.get_by_role("alert")).to_contain_text("Q1 has the options A, B")
    gates.answer(work.dir, gate, {"Q1": "A"}, "ada (command)")
    expect(page.locator("#gate .given")).to_contain_text("Answered by ada (command): A")
    expect(page.get_by_label("In words").last).to_have_value("my words")
    expect(page.get_by_role("radio", checked=True).last).to_have_value("A")
    page.get_by_role("button", name="Send the answers").click()
    until(lambda: gates.read_questions(work.dir)[1].answer == "A, my words")


@pytest.mark.parametrize("js", [True, False])
def test_questions_are_answered_by_keyboard_alone(
    work: Work, open_web: Callable[..., Any], meet: Callable[..., Any], js: bool
) -> None:
    work.ask()
    page = meet(open_web(work.root), java_script_enabled=js).go(url_of(work.session))
    page.get_by_role("radio").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("at most")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # of nothing chosen the first
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Q1 answered")
    assert gates.read_questions(work.dir)[0].answer == "B, at most"
