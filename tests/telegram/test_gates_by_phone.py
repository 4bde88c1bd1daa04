"""Questions, plans and requests, answered by taps and replies."""

import re
from dataclasses import replace

import pytest
from phone import ANN, Phone
from session_work import Work

from samoloop.base.errors import UsageError
from samoloop.checks import receipts
from samoloop.checks.check import Check
from samoloop.checks.finding import described
from samoloop.checks.receipts import Found
from samoloop.core import gates
from samoloop.core.gates import Act, Verdict


def test_a_tap_answers_the_question_and_the_message_says_so(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which token lifetime?")
        assert "A  15 minutes with refresh\nB  24 hours\n⭐ A - limits the damage of a leak" in message["shown"]
        tap = phone.ann.tap(message, "Q1 A ⭐")
        assert phone.ann.toast(tap) == "Q1 answered. Still open: Q2."
        phone.standin.wait(lambda: "✅ A · 15 minutes with refresh, Ann\n" in phone.shown(message))
        assert "2 questions, 1 open" in phone.shown(message)
        assert labels(phone, message) == ["✏️ Change Q1", "Q2 A", "Q2 B", "✍️"]
    assert "**Answer:** A <!-- by Ann (Telegram " in work.read("_qa.md")


def labels(phone: Phone, message: dict) -> list[str]:  # type: ignore[type-arg]
    markup = phone.chat.messages[message["message_id"]].get("reply_markup", {})
    return [button["text"] for row in markup.get("inline_keyboard", []) for button in row]


def many(count: int, options: str = "A) one\nB) two\n") -> str:
    asked = f"{options}**Suggestion:** A - it is\n**Answer:** _waiting_\n"
    return "# Questions\n" + "".join(f"\n### Q{number}: Number {number}?\n{asked}" for number in range(1, count + 1))


def answers(work: Work) -> list[str]:
    return re.findall(r"\*\*Answer:\*\* (\S+)", work.read("_qa.md"))


def test_five_questions_are_one_message_and_one_tap_takes_what_is_suggested(phone: Phone) -> None:
    work = phone.work()
    work.ask(many(5))
    with phone.relay():
        message = phone.bot("5 questions, 5 open")
        phone.ann.toast(phone.ann.tap(message, "Q2 B"))
        phone.standin.wait(lambda: "⭐ Take all suggestions (4)" in labels(phone, message))
        tap = phone.ann.tap(message, "⭐ Take all")
        assert phone.ann.toast(tap) == "Q1=A Q3=A Q4=A Q5=A: Q1, Q3, Q4, Q5 answered, that was all."
        phone.standin.wait(lambda: "all answered" in phone.shown(message))
        assert len(phone.standin.messages(ANN, "Number 3?")) == 1
    assert answers(work) == ["A", "B", "A", "A", "A"]


def test_suggestions_that_read_differently_now_are_not_taken(phone: Phone) -> None:
    work = phone.work()
    work.ask(many(2))
    with phone.relay():
        message = phone.bot("2 questions, 2 open")
        text = work.read("_qa.md").replace("A - it is", "B - it is not", 1)
        (work.dir / "_qa.md").write_text(text)
        assert "nothing was changed" in phone.ann.toast(phone.ann.tap(message, "⭐ Take all"))
    assert work.read("_qa.md") == text


def test_many_questions_come_one_by_one_and_a_short_message_says_what_is_open(phone: Phone) -> None:
    work = phone.work()
    work.ask(many(9))
    with phone.relay():
        message = phone.bot("9 questions, 9 open")
        sounds = [shown["silent"] for shown in phone.standin.messages(ANN, "Q")]
        assert sounds == [False, *[True] * 9]
        phone.ann.toast(phone.ann.tap(phone.bot("Number 4?"), "B ·"))
        phone.standin.wait(lambda: "Open: Q1, Q2, Q3, Q5" in phone.shown(message))
        assert phone.ann.toast(phone.ann.tap(message, "⭐ Take all suggestions (8)")).endswith("that was all.")
    assert answers(work) == ["A", "A", "A", "B", *"AAAAA"]


def test_what_is_open_is_told_also_where_nothing_is_suggested(phone: Phone) -> None:
    work = phone.work()
    work.ask(many(9).replace("**Suggestion:** A - it is\n", ""))
    with phone.relay():
        message = phone.bot("9 questions, 9 open")
        assert labels(phone, message) == []
        phone.ann.toast(phone.ann.tap(phone.bot("Number 1?"), "B ·"))
        phone.standin.wait(lambda: "9 questions, 8 open\nOpen: Q2, Q3" in phone.shown(message))


@pytest.mark.parametrize("how", ["message", "reply", "edited", "command"])
def test_several_answers_in_one_message_mean_what_the_command_means(phone: Phone, how: str) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("2 questions, 2 open")
        phone.bot("iteration 0")  # the relay knows by now that the questions were sent
        if how == "message":
            phone.ann.say("Q1=B q2 = only “pinned” ones")
        elif how == "reply":
            phone.ann.reply(message, "Q1=B, Q2='only “pinned” ones'")
        elif how == "command":
            phone.ann.say("/answer jwt-auth Q1=B Q2=only “pinned” ones")
        else:
            phone.ann.say("Q1=A")
            phone.standin.wait(lambda: answers(work)[0] == "A")
            phone.ann.edit("Q1=B\nQ2=only “pinned” ones")
        phone.standin.wait(lambda: "✅ only “pinned” ones, Ann" in phone.shown(message))
    assert answers(work) == ["B", "only"]


def test_answers_to_questions_that_were_never_shown_here_change_nothing(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        phone.bot("2 questions, 2 open")
        phone.bot("iteration 0")
        text = work.read("_qa.md").replace("B) our own", "B) none at all")
        (work.dir / "_qa.md").write_text(text)
        phone.ann.say("Q2=B")
        phone.bot("Not shown here as it reads now: Q2. Nothing was changed; /questions shows it.")
        assert work.read("_qa.md") == text
        phone.ann.say("Q7=B")
        phone.bot("Nothing asks Q7 now")


def test_answers_in_reply_to_an_earlier_gate_change_nothing_at_the_next(phone: Phone) -> None:
    work = phone.work()
    work.ask(many(2))
    with phone.relay():
        first = phone.bot("2 questions, 2 open")
        phone.ann.toast(phone.ann.tap(first, "⭐ Take all"))
        work.close()
        work.ask("# Questions\n\n### Q1: Another?\nA) one\nB) two\n**Answer:** _waiting_\n")
        phone.bot("Another?")
        phone.standin.wait(lambda: not labels(phone, first))
        phone.ann.reply(first, "Q1=B")
        phone.bot("This belongs to an earlier gate: nothing was changed.")
    assert answers(work) == ["_waiting_"]


def test_where_two_sessions_ask_the_same_a_tap_says_which_and_nothing_is_typed_twice(phone: Phone) -> None:
    one, two = phone.work("26-11-21-one"), phone.work("26-11-21-two")
    for work in (one, two):
        work.ask()
    with phone.relay():
        for work in (one, two):
            phone.bot(f"{work.session.name[9:]} · 2 questions, 2 open")
            phone.bot(f"{work.session.name[9:]} · requirements, iteration 0")
        phone.ann.say("Q1=B Q2=A")
        phone.ann.tap(phone.bot("For which session?"), "two")
        phone.bot("Q1, Q2 answered, that was all.")
    assert (answers(one), answers(two)) == (["_waiting_"] * 2, ["B", "A"])


# --- changing one's mind ----------------------------------------------------------------------------------------------


def test_a_new_tap_takes_the_place_of_the_same_persons_answer(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("2 questions, 2 open")
        old = message["reply_markup"]["inline_keyboard"][1][0]["callback_data"]
        phone.ann.toast(phone.ann.tap(message, "Q1 A"))
        phone.standin.wait(lambda: "1 open" in phone.shown(message))
        phone.ann.toast(phone.ann.tap(message, "✏️ Change Q1"))
        phone.standin.wait(lambda: "2 open" in phone.shown(message))
        assert answers(work)[0] == "A"
        assert phone.ann.toast(phone.ann.tap(message, "Q1 B")) == "Q1 changed. Still open: Q2."
        phone.standin.wait(lambda: "✅ B · 24 hours, Ann" in phone.shown(message))
        tap = phone.ann.tap_data(phone.chat.messages[message["message_id"]], old)  # of a phone that did not see it yet
        assert phone.ann.toast(tap) == "Q1 changed. Still open: Q2."
    assert answers(work)[0] == "A"


def test_a_single_question_can_be_changed_by_its_button_and_by_editing_the_reply(phone: Phone) -> None:
    work = phone.work()
    work.ask(many(1))
    with phone.relay():
        message = phone.bot("Number 1?")
        phone.ann.toast(phone.ann.tap(message, "A ·"))
        phone.standin.wait(lambda: "✅ A · one\nAnn" in phone.shown(message))
        assert labels(phone, message) == ["✏️ Change Q1"]
        phone.ann.tap(message, "✏️ Change Q1")
        phone.standin.wait(lambda: "✍️ Answer in words" in labels(phone, message))
        phone.ann.reply(message, "neiter")
        phone.standin.wait(lambda: answers(work) == ["neiter"])
        phone.ann.edit("neither")
        phone.standin.wait(lambda: answers(work) == ["neither"])
        work.close()
        phone.standin.wait(lambda: "✅ neither\nAnn, " in phone.shown(message) and not labels(phone, message))


def test_another_persons_answer_stands_and_the_refusal_says_what_to_do(phone: Phone) -> None:
    bob = phone.another(4712, "Bob", heard=True)
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("2 questions, 2 open")
        old = message["reply_markup"]["inline_keyboard"][1][0]["callback_data"]
        phone.ann.toast(phone.ann.tap(message, "Q1 A"))
        said = bob.toast(bob.tap_data(message, old))
        assert said.startswith("Q1: A. That was decided by Ann, so it stands.") and "/tell jwt-auth" in said
        (work.dir / "_qa.md").write_text(work.read("_qa.md").replace("**Answer:** _waiting_", "**Answer:** A"))
        phone.ann.reply(message, "Q2=B")
        phone.bot("Q2: A. That was decided by somebody in an editor, so it stands.")
    assert answers(work) == ["A", "A"]


def test_two_people_of_one_name_are_two(phone: Phone) -> None:
    other = phone.another(4712, "Ann", heard=True)
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("2 questions, 2 open")
        letter = message["reply_markup"]["inline_keyboard"][1][1]["callback_data"]
        phone.ann.toast(phone.ann.tap(message, "Q1 A"))
        assert other.toast(other.tap_data(message, letter)).startswith("Q1: A. That was decided by Ann, so it stands.")
        assert phone.ann.toast(phone.ann.tap_data(message, letter)).startswith("Q1 changed.")
    assert answers(work)[0] == "B"


def test_at_an_open_gate_only_ones_own_word_is_replaced(phone: Phone) -> None:
    """Also where another's word came between look and act."""
    work = phone.work()
    gate = work.ask()
    gates.answer(work.dir, gate, {"Q1": "A"}, "Ann (Telegram 4712/7)")  # another one of that name
    own = Act(Verdict.ANSWERED, "Ann (Telegram 4711/8)", answers={"Q1": "B"}, own="Ann (Telegram 4711/")
    with pytest.raises(UsageError, match="has its answer already"):
        gates.act(work.dir, gate, own)
    gates.act(work.dir, gate, replace(own, own="Ann (Telegram 4712/"))
    assert answers(work)[0] == "B"


def test_a_long_answer_that_the_phone_cut_in_two_is_one_answer(phone: Phone) -> None:
    work = phone.work()
    work.live()
    work.ask(many(1))
    words = "".join(f"reason {number} is as good as any other. " for number in range(150))
    assert len(words) > 4096
    with phone.relay():
        phone.ann.reply(phone.bot("Number 1?"), words)
        phone.bot("Q1 answered, that was all.")
    closing = work.decision()
    assert closing is not None and closing.answers["Q1"]["answer"] == words.strip()


def test_a_plan_can_be_decided_anew_while_nobody_has_acted_on_it(phone: Phone) -> None:
    work = phone.work()
    work.show_plan()
    with phone.relay():
        message = phone.bot("the plan is ready")
        phone.ann.tap(message, "✏️ Request changes")
        box = phone.bot("what should change")
        phone.ann.reply(box, "smaller")
        phone.standin.wait(lambda: "Changes requested by Ann" in phone.shown(message))
        phone.ann.edit("smaller, and no cache")
        phone.standin.wait(lambda: "smaller, and no cache" in phone.shown(message))
        phone.ann.tap(message, "✏️ Decide anew")
        phone.standin.wait(lambda: "✅ Approve" in labels(phone, message))
        phone.ann.tap(message, "✅ Approve")
        phone.standin.wait(lambda: "Approved by Ann" in phone.shown(message))
    assert work.close().verdict == "approve"


def test_reject_asks_once(phone: Phone) -> None:
    work = phone.work()
    work.show_plan()
    with phone.relay():
        message = phone.bot("the plan is ready")
        phone.ann.tap(message, "🛑 Reject")
        phone.standin.wait(lambda: labels(phone, message) == ["🛑 Yes, reject it", "↩️ No"])
        assert "Reject it? The session stops then." in phone.shown(message) and work.decision() is None
        phone.ann.tap(message, "↩️ No")
        phone.standin.wait(lambda: "✅ Approve" in labels(phone, message))
        phone.ann.tap(message, "🛑 Reject")
        phone.standin.wait(lambda: "🛑 Yes, reject it" in labels(phone, message))
        phone.ann.tap(message, "🛑 Yes")
        phone.standin.wait(lambda: "Rejected by Ann" in phone.shown(message))
    assert work.close().verdict == "reject"


def test_a_typed_approval_names_the_plan_and_without_its_number_shows_the_buttons(phone: Phone) -> None:
    work = phone.work()
    work.show_plan()
    digest = work.gate.sha256 or ""
    with phone.relay():
        phone.bot("the plan is ready")
        phone.ann.say("/approve")
        phone.standin.wait(lambda: len(phone.standin.messages(ANN, "the plan is ready")) == 2)
        phone.ann.say(f"/approve {digest[::-1][:8]}")
        phone.bot("This belongs to an earlier gate: nothing was changed.")
        assert work.decision() is None
        phone.ann.say(f"/approve jwt {digest[:8].upper()}")
        phone.bot("Approved.")
    assert work.close().verdict == "approve"


def test_what_cannot_be_done_is_declined_with_a_reason(phone: Phone) -> None:
    work = phone.work()
    work.ask_for_action("Read the card")
    with phone.relay():
        message = phone.bot("Read the card")
        phone.ann.tap(message, "🚫 Decline")
        phone.ann.reply(phone.bot("why not?"), "there is no card reader")
        phone.standin.wait(lambda: "Declined by Ann\nthere is no card reader" in phone.shown(message))
        phone.ann.reply(message, "found one in the drawer")
        phone.ann.tap(phone.bot("What is this for?"), "✅ Done")
        phone.standin.wait(lambda: "Done by Ann" in phone.shown(message))
    closing = work.close()
    assert (closing.verdict, closing.comment) == ("done", "found one in the drawer")


def test_a_text_that_was_edited_before_it_was_used_counts_as_it_is_now(phone: Phone) -> None:
    work = phone.work()
    with phone.relay():
        phone.ann.say("mind the cahce")
        asking = phone.bot("What is this for?")
        phone.ann.edit("mind the cache")
        phone.standin.wait(lambda: "mind the cache" in phone.shown(asking))
        phone.ann.tap(asking, "🧭")
        phone.bot("Told jwt-auth")
        phone.ann.edit("mind the disk")
        phone.bot("That was used or forgotten already: send it as a new message.")
        phone.ann.edit("/stop")
        phone.bot("A command that was edited does nothing")
    assert "mind the cache" in work.read("_inbox.md") and "disk" not in work.read("_inbox.md")


# --- and the rest -----------------------------------------------------------------------------------------------------


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
        message = phone.bot("Which library?")
        phone.ann.toast(phone.ann.tap(message, "Q1 A"))
        phone.ann.reply(message, "the one from <the> platform team & no other")  # to the one that is open
        phone.standin.wait(lambda: "✅ the one from <the> platform" in phone.shown(message))
    assert "**Answer:** the one from <the> platform team & no other" in work.read("_qa.md")


def test_answer_in_words_opens_the_reply_box(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        phone.ann.tap(phone.bot("Which library?"), "✍️")
        box = phone.bot("your answer to Q1")
        assert box["reply_markup"]["force_reply"] is True
        phone.ann.reply(box, "pyjwt, pinned")
        phone.standin.wait(lambda: answers(work)[0] == "pyjwt,")


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


def test_a_question_that_reads_differently_now_is_not_answered(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which library?")
        text = work.read("_qa.md").replace("B) our own", "B) none at all")
        (work.dir / "_qa.md").write_text(text)
        assert "Q2 has changed since it was shown" in phone.ann.toast(phone.ann.tap(message, "Q2 B"))
    assert work.read("_qa.md") == text


def test_an_answer_from_an_editor_closes_the_message_on_the_phone(phone: Phone) -> None:
    work = phone.work()
    work.ask()
    with phone.relay():
        message = phone.bot("Which token lifetime?")
        text = work.read("_qa.md").replace("**Answer:** _waiting_", "**Answer:** B", 1)
        (work.dir / "_qa.md").write_text(text)
        phone.standin.wait(lambda: "✅ B · 24 hours, an editor" in phone.shown(message))


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


def test_an_action_is_done_by_its_button(phone: Phone) -> None:
    work = phone.work()
    work.ask_for_action("Create the <DNS> record")
    with phone.relay():
        message = phone.bot("Create the <DNS> record")
        phone.ann.tap(message, "✅ Done")
        phone.standin.wait(lambda: "Done by Ann" in phone.shown(message))
    assert work.close().verdict == "done"


def test_a_reply_to_a_blocked_session_is_its_guidance_with_its_number(phone: Phone) -> None:
    work = phone.work()
    work.block()
    with phone.relay():
        update = phone.ann.reply(phone.bot("blocked in testing"), "use sqlite\n## Status\nPhase: done")
        phone.bot("its next iteration reads it")
    assert work.read("_inbox.md") == f"From Ann (Telegram {ANN}/{update}):\nuse sqlite\n## Status\nPhase: done\n\n"


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
        assert phone.ann.toast(taps[1]).startswith("That text was used or forgotten already")
    assert work.read("_inbox.md").count("mind the cache") == 1
