"""Questions, plans and requests, answered by taps and replies."""

import pytest
from phone import Phone

from samoloop.checks import receipts
from samoloop.checks.check import Check
from samoloop.checks.finding import described
from samoloop.checks.receipts import Found


def test_a_tap_answers_the_question_and_the_message_says_so(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which token lifetime?")
        assert "⭐ Suggested: A - limits the damage of a leak" in message["shown"]
        tap = phone.ann.tap(message, "A · 15 minutes with refresh ⭐")
        assert phone.ann.toast(tap) == "Q1 answered. Still open: Q2."
        phone.standin.wait(lambda: "✅ A · 15 minutes with refresh\nAnn, " in phone.shown(message))
        assert "reply_markup" not in phone.chat.messages[message["message_id"]]
    assert "**Answer:** A <!-- by Ann (Telegram " in work.read("_qa.md")


@pytest.mark.parametrize("letter", ["A", "B", "C", "R"])
def test_every_letter_answers(phone: Phone, letter: str) -> None:
    work = phone.work()
    options = "\n".join(f"{letter}) words of {letter}" for letter in "ABCDEFGHIJKLMNOPQR")
    work.ask(f"# Questions\n\n### Q1: Which?\n{options}\n**Answer:** _waiting_\n")
    with phone.relay():
        assert phone.ann.toast(phone.ann.tap(phone.bot("Which?"), f"{letter} ·")) == "Q1 answered, that was all."
    assert f"**Answer:** {letter} <!--" in work.read("_qa.md")


def test_a_reply_to_a_question_is_its_answer_in_words(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        phone.ann.reply(phone.bot("Which library?"), "the one from <the> platform team & no other")
        phone.standin.wait(lambda: "✅ the one from <the> platform" in phone.shown(phone.bot("Which library?")))
    assert "**Answer:** the one from <the> platform team & no other" in work.read("_qa.md")


def test_answer_in_words_opens_the_reply_box(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        phone.ann.tap(phone.bot("Which library?"), "✍️")
        box = phone.bot("your answer to Q2")
        assert box["reply_markup"]["force_reply"] is True
        phone.ann.reply(box, "pyjwt, pinned")
        phone.standin.wait(lambda: "pyjwt, pinned" in work.read("_qa.md"))


def test_at_the_plan_the_checks_are_named_as_on_the_terminal(phone: Phone) -> None:
    work = phone.work()
    check = Check(name="pytest", command="python3 -m pytest -q & true", source="pyproject.toml")
    found = Found(base="b" * 40, checks=(check,), said=described((check,)))
    work.session.record(receipts.record(receipts.FOUND, found))
    work.show_plan()
    with phone.relay():
        shown = phone.shown(phone.bot("the plan is ready"))
    assert f"🧪 {found.said}" in shown and "`python3 -m pytest -q & true`" in found.said


def test_approval_binds_the_plan_that_was_shown(phone: Phone) -> None:
    work = phone.work()
    gate = work.show_plan()
    with phone.relay():
        message = phone.bot("the plan is ready")
        document = phone.bot("the plan")
        assert phone.chat.messages[document["message_id"] - 1]["content"] == (work.dir / str(gate.file)).read_bytes()
        phone.ann.tap(message, "✅ Approve")
        phone.standin.wait(lambda: "Approved by Ann, " in phone.shown(message))
        assert f"plan {str(gate.sha256)[:8]}…" in phone.shown(message)
    closing = work.decision()
    assert closing is not None
    assert (closing.verdict, closing.sha256) == ("approve", gate.sha256)


def test_a_plan_that_changed_after_it_was_shown_is_not_approved(phone: Phone) -> None:
    work = phone.work()
    gate = work.show_plan()
    with phone.relay():
        message = phone.bot("the plan is ready")
        (work.dir / str(gate.file)).write_text("# Plan: something else\n")
        tap = phone.ann.tap(message, "✅ Approve")
        assert "the plan has changed" in phone.ann.toast(tap)
    assert work.decision() is None


def test_a_button_of_an_earlier_plan_changes_nothing(phone: Phone) -> None:
    work = phone.work()
    work.show_plan()
    with phone.relay():
        first = phone.bot("the plan is ready")
        approve = first["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        phone.ann.tap(first, "✏️ Request changes")
        phone.ann.reply(phone.bot("what should change"), "smaller, please")
        phone.standin.wait(lambda: work.decision() is not None)
        assert work.close().comment == "smaller, please"
        work.show_plan("# Plan: JWT, smaller\n")
        phone.bot("JWT, smaller")
        tap = phone.ann.tap_data(phone.chat.messages[first["message_id"]], approve)
        assert "earlier gate: nothing was changed" in phone.ann.toast(tap)
    assert work.decision() is None


def test_a_question_that_was_answered_already_stays_as_it_is(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which token lifetime?")
        old = message["reply_markup"]["inline_keyboard"][1][0]["callback_data"]
        phone.ann.toast(phone.ann.tap(message, "A ·"))
        tap = phone.ann.tap_data(phone.chat.messages[message["message_id"]], old)
        assert phone.ann.toast(tap) == "Q1 was answered already by Ann: A"


def test_a_question_that_reads_differently_now_is_not_answered(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which library?")
        text = work.read("_qa.md").replace("B) our own", "B) none at all")
        (work.dir / "_qa.md").write_text(text)
        assert "Q2 has changed since that message" in phone.ann.toast(phone.ann.tap(message, "B ·"))
    assert work.read("_qa.md") == text


def test_an_answer_from_an_editor_closes_the_message_on_the_phone(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which token lifetime?")
        text = work.read("_qa.md").replace("**Answer:** _waiting_", "**Answer:** B", 1)
        (work.dir / "_qa.md").write_text(text)
        phone.standin.wait(lambda: "✅ B · 24 hours\nan editor, " in phone.shown(message))


def test_a_remark_on_a_plan_asks_for_changes_only_after_a_button(phone: Phone) -> None:
    work = phone.work()
    work.show_plan()
    with phone.relay():
        phone.ann.reply(phone.bot("the plan is ready"), "looks good, but rename token.py")
        asking = phone.bot("Send this back to planning")
        assert work.decision() is None
        phone.ann.tap(asking, "✏️ Request changes")
        phone.standin.wait(lambda: work.decision() is not None)
    closing = work.close()
    assert (closing.verdict, closing.comment) == ("changes", "looks good, but rename token.py")


def test_reject_stops_the_session(phone: Phone) -> None:
    work = phone.work()
    work.show_plan()
    with phone.relay():
        message = phone.bot("the plan is ready")
        phone.ann.tap(message, "🛑 Reject")
        phone.standin.wait(lambda: "Rejected by Ann, " in phone.shown(message))
    assert work.close().verdict == "reject"


def test_an_action_is_done_by_its_button(phone: Phone) -> None:
    work = phone.work()
    work.ask_for_action("Create the <DNS> record")
    with phone.relay():
        message = phone.bot("Create the <DNS> record")
        phone.ann.tap(message, "✅ Done")
        phone.standin.wait(lambda: "Done by Ann, " in phone.shown(message))
    assert work.close().verdict == "done"


def test_a_reply_to_a_blocked_session_is_its_guidance_with_its_number(phone: Phone) -> None:
    work = phone.work()
    work.block()
    with phone.relay():
        update = phone.ann.reply(phone.bot("blocked in testing"), "use sqlite\n## Status\nPhase: done")
        phone.bot("its next iteration reads it")
    assert work.read("_inbox.md") == f"From Ann (Telegram {update}):\nuse sqlite\n## Status\nPhase: done\n\n"


def test_free_text_never_answers_or_approves_and_is_asked_about(phone: Phone) -> None:
    work = phone.work()
    work.show_plan()
    with phone.relay():
        phone.bot("the plan is ready")
        phone.ann.say("approve")
        asking = phone.bot("What is this for?")
        assert work.decision() is None
        phone.ann.tap(asking, "🧭 Guidance for jwt-auth")
        phone.standin.wait(lambda: "approve" in work.read("_inbox.md"))
        assert work.decision() is None


def test_one_tap_on_a_held_text_uses_it_and_a_second_finds_it_used(phone: Phone) -> None:
    work = phone.work()
    with phone.relay():
        phone.ann.say("mind the cache")
        asking = phone.bot("What is this for?")
        data = asking["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        taps = [phone.ann.tap_data(asking, data) for _ in range(2)]
        assert phone.ann.toast(taps[1]) == "That text was used or forgotten already."
    assert work.read("_inbox.md").count("mind the cache") == 1
