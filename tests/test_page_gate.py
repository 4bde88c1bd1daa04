"""A gate on the page: forms that are bound to what was on the screen, and what is refused."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import Asked, Browser, Form, forms_in, none_starts
from session_work import PLAN, QUESTIONS, Work

from samoloop.config.projects import register
from samoloop.core import gates
from samoloop.core.gates import Verdict
from samoloop.core.session import Session
from samoloop.ui.web.pages import gate as page
from samoloop.ui.web.site import url_of


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """For whom a worker was started; none is."""
    return none_starts(monkeypatch, page)


@pytest.fixture
def work(tmp_path: Path, started: Asked) -> Work:
    register(tmp_path, os.environ)
    return Work(tmp_path)


@pytest.fixture
def ann(work: Work) -> Browser:
    return Browser(os.environ, "Ann")


@pytest.fixture
def bob(work: Work) -> Browser:
    return Browser(os.environ, "Bob")


def url(work: Work, word: str = "gate") -> str:
    return f"{url_of(work.session)}/{word}"


def form(browser: Browser, work: Work, word: str) -> Form:
    return browser.form(url(work), f"/{word}")


def answers(work: Work) -> list[tuple[str, str]]:
    return [(one.answer, one.by) for one in gates.read_questions(work.dir)]


# --- questions --------------------------------------------------------------------------------------------------------


def test_a_form_holds_all_questions_chooses_nothing_and_marks_what_is_suggested(ann: Browser, work: Work) -> None:
    work.ask()
    html = ann.open(url(work))
    asked = ann.form_in(html, "/answer")
    assert (asked.fields["pick.Q1"], asked.choices["pick.Q1"]) == ("", ["A", "B", ""])
    assert html.count('class="suggested"') == 1 and "A - limits the damage of a leak" in html
    assert ann.send(asked).status_code == 409
    assert answers(work) == [("", ""), ("", "")]


def test_some_are_answered_some_left_open_and_it_says_which(ann: Browser, work: Work, started: Asked) -> None:
    work.ask()
    said = ann.notice(ann.send(form(ann, work, "answer"), **{"pick.Q1": "B", "words.Q1": "but an hour\r\nat most"}))
    assert said == "Q1 answered. Still open: Q2."
    assert answers(work) == [("B, but an hour\nat most", "Ann (page)"), ("", "")]
    assert started == []
    assert ann.notice(ann.send(form(ann, work, "answer"), **{"words.Q2": "neither"})).endswith("The session goes on.")
    assert answers(work)[1] == ("neither", "Ann (page)")
    assert [how.by for _, how in started] == ["Ann (page)"]


def test_suggestions_are_taken_for_what_is_left_open(ann: Browser, work: Work) -> None:
    work.ask(QUESTIONS.replace("B) our own\n", "B) our own\n**Suggestion:** A - it is there\n"))
    sent = ann.send(form(ann, work, "answer"), **{"pick.Q1": "B", "suggested": "yes"})
    assert ann.notice(sent) == "Q1, Q2 answered, that was all. The session goes on."
    assert [said for said, _ in answers(work)] == ["B", "A"]


def test_the_button_counts_the_suggestions_that_it_takes(ann: Browser, work: Work) -> None:
    none_such = "### Q3: Third?\nA) one\nB) two\n**Suggestion:** Z\n**Answer:** _waiting_\n"
    work.ask(QUESTIONS.replace("B) our own\n", "B) our own\n**Suggestion:** A - it is there\n") + none_such)
    assert "Take all 2 suggestions for what I leave open" in ann.open(url(work))
    ann.send(form(ann, work, "answer"), suggested="yes")
    assert [said for said, _ in answers(work)] == ["A", "A", ""]
    assert "Take" not in ann.open(url(work)), "nothing is left that it would take"


def test_one_s_own_answer_can_be_changed_and_another_one_s_stands(ann: Browser, bob: Browser, work: Work) -> None:
    work.ask()
    ann.send(form(ann, work, "answer"), **{"pick.Q1": "A"})
    of_bob = form(bob, work, "answer")
    assert "pick.Q1" not in of_bob.fields and "Answered by Ann (page): <b>A</b>" in bob.open(url(work))
    assert ann.notice(ann.send(form(ann, work, "answer"), **{"pick.Q1": "B"})) == "Q1 changed. Still open: Q2."
    bob.send(of_bob, **{"pick.Q2": "A"})
    assert answers(work) == [("B", "Ann (page)"), ("A", "Bob (page)")]


def test_who_comes_second_is_told_who_was_first_and_keeps_what_they_wrote(
    ann: Browser, bob: Browser, work: Work
) -> None:
    work.ask()
    of_bob = form(bob, work, "answer")
    ann.send(form(ann, work, "answer"), **{"pick.Q1": "A"})
    refused = bob.send(of_bob, **{"pick.Q1": "B", "words.Q2": "my own <b>words</b>"})
    assert refused.status_code == 409
    assert "Q1: A. That was decided by Ann, so it stands. The last word there was said, at " in refused.text
    assert ann.form_in(refused.text, "/answer").fields["words.Q2"] == "my own <b>words</b>"
    assert answers(work) == [("A", "Ann (page)"), ("", "")]


def test_two_who_gave_no_name_are_two(work: Work) -> None:
    work.ask()
    one, other = Browser(os.environ), Browser(os.environ)
    first, second = form(one, work, "answer"), form(other, work, "answer")
    one.send(first, **{"pick.Q1": "A"})
    assert other.send(second, **{"pick.Q1": "B"}).status_code == 409
    assert one.send(first, **{"pick.Q1": "B"}).status_code == 303
    assert answers(work)[0][0] == "B"


def test_a_question_that_reads_differently_now_is_shown_anew(ann: Browser, work: Work) -> None:
    work.ask()
    seen = form(ann, work, "answer")
    (work.dir / "_qa.md").write_text(work.read("_qa.md").replace("B) our own", "B) none at all"))
    refused = ann.send(seen, **{"pick.Q2": "B"})
    assert "Q2 has changed since it was shown: nothing was changed." in refused.text and "none at all" in refused.text
    assert ann.form_in(refused.text, "/answer").fields["pick.Q2"] == "B"
    assert answers(work)[1] == ("", "")
    assert ann.send(seen, **{"pick.Q1": "B"}).status_code == 303, "the other question reads as it did"


def test_a_form_sent_twice_counts_once(ann: Browser, work: Work) -> None:
    work.ask()
    seen = form(ann, work, "answer")
    for expected in ("Q1 answered. Still open: Q2.", "Q1 answered, as before."):
        assert ann.notice(ann.send(seen, **{"pick.Q1": "B"})) == expected
    ann.send(seen, **{"pick.Q2": "A"})
    work.close()
    assert ann.notice(ann.send(seen, **{"pick.Q2": "A"})).startswith("Q1, Q2 answered by Ann (page), at ")


def test_a_gate_that_was_closed_elsewhere_is_said_and_nothing_that_was_typed_is_lost(ann: Browser, work: Work) -> None:
    work.ask()
    seen = form(ann, work, "answer")
    gates.answer(work.dir, work.gate, {"Q1": "A", "Q2": "A"}, "ada (command)")
    refused = ann.send(seen, **{"words.Q2": "a long thought"})
    assert "decided by ada, so it stands" in refused.text and "a long thought" in refused.text
    work.close()
    refused = ann.send(seen, **{"words.Q2": "a long thought"})
    assert refused.status_code == 409 and "Q1, Q2 answered by ada (command), at " in refused.text
    assert ann.form_in(refused.text, "/tell").fields["words"] == "a long thought"
    work.ask("# Questions\n\n### Q2: Another?\n**Answer:** _waiting_\n")
    refused = ann.send(seen, **{"words.Q2": "a long thought"})
    assert ann.form_in(refused.text, "/answer").fields["words.Q2"] == "", "it was about another question"
    assert answers(work) == [("", "")]


@pytest.mark.parametrize(
    "typed",
    [
        {"pick.Q1": "Z"},
        {"pick.Q1": "Z", "words.Q1": "and words"},
        {"pick.Q9": "A"},
        {"words.Q1": "\x00\x1b"},
        {"pick.Q1": "A", "seen.Q1": "00000000"},
        {"pick.Q1": "A", "gate": "g9"},
        {"pick.Q1": "A", "gate": ""},
        {"words.Q1": "Z"},
    ],
)
def test_what_no_form_sends_answers_nothing(ann: Browser, work: Work, typed: dict[str, str]) -> None:
    work.ask()
    text = work.read("_qa.md")
    assert ann.send(form(ann, work, "answer"), **typed).status_code == 409
    assert work.read("_qa.md") == text


def test_a_form_without_its_fields_answers_nothing(ann: Browser, work: Work) -> None:
    work.ask()
    token = form(ann, work, "answer").fields["token"]
    for word in ("answer", "approve", "changes", "reject", "done", "decline"):
        assert ann.post(url(work, word), {"token": token}).status_code == 409
    assert answers(work) == [("", ""), ("", "")]


def test_what_was_typed_is_kept_without_what_no_keyboard_types(ann: Browser, work: Work) -> None:
    work.ask()
    ann.send(form(ann, work, "answer"), **{"words.Q1": "a\x00b\x1b[31m **Answer:** c\r\n### Q2: d"})
    [first, second] = gates.read_questions(work.dir)
    assert first.answer == "ab[31m **Answer:** c\n### Q2: d" and second.answer == ""


def test_a_form_that_cannot_be_read_or_is_too_large_changes_nothing(ann: Browser, work: Work) -> None:
    work.ask()
    seen = form(ann, work, "answer")
    assert ann.send(seen, **{"words.Q1": "\ud800"}).status_code == 400
    assert ann.send(seen, **{"words.Q1": "a" * 1_100_000}).status_code == 413
    assert answers(work)[0] == ("", "")


def test_looking_changes_nothing(ann: Browser, work: Work) -> None:
    work.ask()
    before = {path: path.stat().st_mtime_ns for path in (*work.dir.iterdir(), *work.session.control.iterdir())}
    ann.open(url(work))
    for word in ("answer", "approve", "changes", "reject", "done", "decline"):
        assert ann.client.get(url(work, word)).status_code in (404, 405)
    assert before == {path: path.stat().st_mtime_ns for path in before}


# --- in a list --------------------------------------------------------------------------------------------------------


def listed(work: Work) -> Callable[[], str]:
    def render() -> str:
        from samoloop.ui.web.render import _templates

        shown = page.shown(Session(work.dir), back=page.OVERVIEW)
        return _templates().get_template("gate.html").render(gate=shown, token="t")

    return render


def test_a_single_question_has_its_buttons_in_the_list(ann: Browser, work: Work, started: Asked) -> None:
    work.ask("# Questions\n\n### Q1: Which?\nA) one\nB) two\n**Suggestion:** B - it is\n**Answer:** _waiting_\n")
    [quick] = forms_in(listed(work)())
    assert [button["value"] for button in quick.buttons] == ["A", "B"]
    token = form(ann, work, "answer").fields["token"]
    sent = ann.send(quick, **{quick.buttons[1]["name"]: "B", "token": token})
    assert (sent.status_code, sent.headers["location"]) == (303, "/")
    assert answers(work) == [("B", "Ann (page)")] and [how.by for _, how in started] == ["Ann (page)"]
    assert forms_in(listed(work)()) == []


def test_what_needs_more_than_a_button_is_a_link_in_the_list(work: Work) -> None:
    work.ask()
    assert "Answer 2 questions" in listed(work)()
    gates.answer(work.dir, work.gate, {"Q1": "A", "Q2": "A"}, "ada (command)")
    work.close()
    work.show_plan()
    html = listed(work)()
    assert "Read the plan and decide" in html and not forms_in(html), "nobody approves what they have not seen"


# --- the plan ---------------------------------------------------------------------------------------------------------


def test_a_plan_is_approved_as_it_was_on_the_screen(ann: Browser, work: Work, started: Asked) -> None:
    gate = work.show_plan()
    html = ann.open(url(work))
    assert "add" in html and "token.py" in html and "5 minutes" in html
    sent = ann.send(ann.form_in(html, "/approve"), comment="start small")
    assert ann.notice(sent) == "Approved. The session goes on."
    closing = work.decision()
    assert closing and (closing.verdict, closing.by, closing.comment) == (Verdict.APPROVE, "Ann (page)", "start small")
    assert closing.sha256 == gate.sha256 and [how.by for _, how in started] == ["Ann (page)"]


@pytest.mark.parametrize("word", ["approve", "changes", "reject"])
def test_a_plan_that_changed_meanwhile_is_refused_with_the_difference(ann: Browser, work: Work, word: str) -> None:
    gate = work.show_plan()
    seen = form(ann, work, word)
    (work.dir / (gate.file or "")).write_text(PLAN.replace("< 5 minutes & more", "< 1 hour <script>"))
    refused = ann.send(seen, comment="my words", really="yes")
    assert refused.status_code == 409 and work.decision() is None
    assert "The plan has changed since it was on your screen" in refused.text
    assert "<del>-- [ ] test &lt; 5 minutes &amp; more</del>" in refused.text
    assert "<ins>+- [ ] test &lt; 1 hour &lt;script&gt;</ins>" in refused.text
    again = ann.form_in(refused.text, f"/{word}")
    assert again.fields["comment"] == "my words" and again.fields["seen"] != seen.fields["seen"]
    ann.send(again, really="yes")
    closing = work.decision()
    assert closing and closing.verdict == word


def test_of_a_long_difference_it_says_how_much_more_there_is(
    ann: Browser, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "_DIFF_LINES", 10)
    gate = work.show_plan()
    seen = form(ann, work, "approve")
    (work.dir / (gate.file or "")).write_text(PLAN + "more\n" * 20)
    refused = ann.send(seen).text
    assert refused.count("<ins>+more</ins>") == 6 and "… and 14 lines more" in refused


def test_what_was_typed_is_kept_also_where_the_plan_that_was_seen_cannot_be_looked_up(
    ann: Browser, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = work.show_plan()
    seen = form(ann, work, "changes")
    (work.dir / (gate.file or "")).write_text(f"{PLAN}\nmore\n")
    (work.root / ".samoloop.yaml").write_text("provider: [\n")
    monkeypatch.setattr(page, "_SEEN", page._Seen())  # the page was started anew
    refused = ann.send(seen, comment="my words")
    assert refused.status_code == 409 and "The plan has changed since it was on your screen" in refused.text
    assert "The text that was on your screen is not kept any more" in refused.text
    assert ann.form_in(refused.text, "/changes").fields["comment"] == "my words"


def test_changes_need_words_and_reject_asks_once(ann: Browser, work: Work) -> None:
    work.show_plan()
    assert "Say what should change" in ann.send(form(ann, work, "changes"), comment=" \r\n").text
    refused = ann.send(form(ann, work, "reject"), comment="not worth it")
    assert refused.status_code == 409 and work.decision() is None
    ann.send(ann.form_in(refused.text, "/reject"), really="yes")
    closing = work.decision()
    assert closing and (closing.verdict, closing.comment) == (Verdict.REJECT, "not worth it")


def test_the_page_after_a_refused_form_names_the_address_that_shows_the_same_gate(ann: Browser, work: Work) -> None:
    work.show_plan()
    refused = ann.send(form(ann, work, "changes"), comment=" ")
    address = re.search(r'data-address="([^"]+)"', refused.text)
    assert refused.status_code == 409 and address
    assert ann.form(address[1], "/changes").fields["gate"] == work.gate.id


def test_of_two_decisions_the_first_counts_and_the_other_is_told(ann: Browser, bob: Browser, work: Work) -> None:
    work.show_plan()
    seen = form(bob, work, "reject")
    ann.send(form(ann, work, "approve"))
    refused = bob.send(seen, really="yes", comment="no")
    assert refused.status_code == 409
    assert "decided by Ann, so it stands. Plan 11-21-0930-plan-jwt.md approved by Ann (page), at " in refused.text
    assert [one.action.rpartition("/")[2] for one in forms_in(refused.text)].count("reject") == 0
    assert ann.notice(ann.send(form(ann, work, "changes"), comment="on second thoughts")).startswith("Changes")
    closing = work.decision()
    assert closing and (closing.verdict, closing.by) == (Verdict.CHANGES, "Ann (page)")


def test_what_an_editor_left_half_is_said(ann: Browser, work: Work) -> None:
    gate = work.show_plan()
    (work.dir / "_approval.md").write_text(work.read("_approval.md").replace("_waiting_", "maybe <later>"))
    assert "Decision is &#39;maybe &lt;later&gt;&#39;: write approve" in ann.open(url(work))
    ann.send(form(ann, work, "approve"))
    (work.dir / (gate.file or "")).write_text("# Another plan\n")
    assert "has changed since it was approved" in ann.open(url(work)), "no worker has opened it anew yet"
    assert ann.notice(ann.send(form(ann, work, "approve"))).startswith("Approved.")


def test_a_plan_that_is_gone_is_not_approved(ann: Browser, work: Work) -> None:
    gate = work.show_plan()
    (work.dir / (gate.file or "")).unlink()
    html = ann.open(url(work))
    assert "missing or cannot be read" in html
    assert not [one for one in forms_in(html) if one.action.endswith("/approve")]
    assert ann.send(ann.form_in(html, "/changes"), comment="write it again").status_code == 303


# --- something to be done, and a file --------------------------------------------------------------------------------


def test_something_is_done_with_words_or_declined_with_why(ann: Browser, work: Work) -> None:
    work.ask_for_action("Plug in <b>the reader</b>\nand say so")
    assert "Plug in &lt;b&gt;the reader&lt;/b&gt;\nand say so" in ann.open(url(work))
    assert "Say why" in ann.send(form(ann, work, "decline")).text
    assert ann.send(form(ann, work, "done"), words="not yet").status_code == 409
    assert ann.notice(ann.send(form(ann, work, "decline"), words="it is broken")).startswith("Noted: declined.")
    assert ann.notice(ann.send(form(ann, work, "done"), words="")).startswith("Noted: done.")
    closing = work.decision()
    assert closing and (closing.verdict, closing.comment) == (Verdict.DONE, "yes")


def test_a_button_of_another_kind_of_gate_closes_nothing(ann: Browser, work: Work) -> None:
    work.ask_for_action()
    fields = form(ann, work, "done").fields
    for word in ("approve", "changes", "reject", "answer"):
        assert ann.post(url(work, word), {**fields, "comment": "x", "really": "yes"}).status_code == 409
    assert work.decision() is None


# --- workers ----------------------------------------------------------------------------------------------------------


def test_where_a_worker_waits_none_is_started(ann: Browser, work: Work, started: Asked) -> None:
    work.show_plan()
    work.live()
    assert ann.notice(ann.send(form(ann, work, "approve"))) == "Approved."
    assert started == []
    work.die()


def test_why_no_worker_could_be_started_is_said(ann: Browser, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise gates.SessionError("the settings changed")

    monkeypatch.setattr(page, "detach", refuse)
    work.show_plan()
    said = ann.notice(ann.send(form(ann, work, "approve")))
    assert said == "Approved. The session could not go on: the settings changed"


def test_a_session_that_is_gone_is_said(ann: Browser, work: Work) -> None:
    work.ask()
    seen = form(ann, work, "answer")
    work.dir.rename(work.dir.with_name("elsewhere"))
    assert ann.send(seen, **{"pick.Q1": "A"}).status_code == 404
