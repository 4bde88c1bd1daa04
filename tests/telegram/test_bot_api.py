"""The stand-in for the Bot API refuses, counts, forgets and fails as the server does."""

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from bot_api import BOT, TOKEN, Chat, Standin
from message_rules import Refused, plain_text, units
from person import Person

ANN = 4711
GROUP = -1009


@pytest.fixture
def standin() -> Iterator[Standin]:
    with Standin() as standin:
        standin.chat(ANN)
        yield standin


@pytest.fixture
def ann(standin: Standin) -> Person:
    return Person(standin, ANN, "Ann", standin.chat(ANN))


def call(standin: Standin, method: str, **given: Any) -> tuple[int, Any]:
    """The HTTP status, and the result or the refusal's words and parameters."""
    data = "&".join(f"{name}={urllib.request.quote(str(value))}" for name, value in given.items())  # type: ignore[attr-defined]
    try:
        with urllib.request.urlopen(f"{standin.base_url}{TOKEN}/{method}", data.encode(), timeout=5) as answer:
            return 200, json.loads(answer.read())["result"]
    except urllib.error.HTTPError as error:
        said = json.loads(error.read())
        assert said["ok"] is False and said["error_code"] == error.code
        return error.code, (said["description"], said["parameters"])


def send(standin: Standin, text: str = "hello", chat: int = ANN, **more: Any) -> tuple[int, Any]:
    return call(standin, "sendMessage", chat_id=chat, text=text, **more)


def test_an_update_comes_again_until_a_later_one_is_asked_for(standin: Standin, ann: Person) -> None:
    first, second = ann.say("one"), ann.say("two")
    for offset, expected in ((0, [first, second]), (first, [first, second]), (second, [second]), (-1, [second])):
        assert [update["update_id"] for update in call(standin, "getUpdates", offset=offset)[1]] == expected
    assert call(standin, "getUpdates", offset=second + 1)[1] == []
    assert call(standin, "getUpdates", offset=0)[1] == []


def test_the_older_of_two_pollers_is_told_so(standin: Standin, ann: Person) -> None:
    older: list[tuple[int, Any]] = []
    thread = threading.Thread(target=lambda: older.append(call(standin, "getUpdates", timeout=5)))
    thread.start()
    standin.wait(lambda: standin.polls == 1)
    newer = threading.Thread(target=lambda: call(standin, "getUpdates", timeout=5))
    newer.start()
    thread.join(5)
    ann.say("go home")
    newer.join(5)
    assert older[0][0] == 409 and older[0][1][0].startswith("Conflict: terminated by other getUpdates request")


def test_only_what_was_asked_for_is_kept(standin: Standin, ann: Person) -> None:
    call(standin, "getUpdates", allowed_updates='["message"]')
    said = ann.say("one")
    ann.edit("two")
    ann.block()
    assert [update["update_id"] for update in call(standin, "getUpdates")[1]] == [said]
    call(standin, "getUpdates", offset=said + 1, allowed_updates='["edited_message", "my_chat_member"]')
    ann.edit("three")
    ann.block()
    edited, left = call(standin, "getUpdates")[1]
    assert edited["edited_message"]["text"] == "three" and "edit_date" in edited["edited_message"]
    assert left["my_chat_member"]["new_chat_member"]["status"] == "kicked"


@pytest.mark.parametrize("method", ["sendMessage", "editMessageText", "answerCallbackQuery"])
def test_too_many_is_said_with_the_seconds_to_wait(standin: Standin, ann: Person, method: str) -> None:
    message = send(standin)[1]
    tap = ann.tap_data(standin.chats[ANN].messages[message["message_id"]], "x")
    given = {"chat_id": ANN, "message_id": message["message_id"], "text": "other", "callback_query_id": tap}
    standin.fault(method, "flood", retry_after=7)
    assert call(standin, method, **given) == (429, ("Too Many Requests: retry after 7", {"retry_after": 7}))
    assert call(standin, method, **given)[0] == 200


def test_a_group_takes_so_many_a_minute_and_edits_count(standin: Standin) -> None:
    standin.chat(GROUP, type="supergroup")
    for number in range(19):
        code, message = send(standin, f"{number}", GROUP)
        assert code == 200
    edit = {"chat_id": GROUP, "message_id": message["message_id"], "text": "other"}
    assert call(standin, "editMessageText", **edit)[0] == 200
    code, (_, parameters) = send(standin, "one more", GROUP)
    assert code == 429 and 50 <= parameters["retry_after"] <= 61
    assert [send(standin, f"{number}")[0] for number in range(25)] == [200] * 25  # a private chat takes them


def test_topics_close_and_vanish(standin: Standin) -> None:
    group = standin.chat(GROUP, type="supergroup", is_forum=True)
    thread = call(standin, "createForumTopic", chat_id=GROUP, name="jwt")[1]["message_thread_id"]
    assert send(standin, "in it", GROUP, message_thread_id=thread)[1]["message_thread_id"] == thread
    group.closed_topics.add(thread)
    group.can_manage_topics = False
    assert send(standin, "in it", GROUP, message_thread_id=thread)[1][0] == "Bad Request: TOPIC_CLOSED"
    assert "not enough rights" in call(standin, "createForumTopic", chat_id=GROUP, name="b")[1][0]
    group.topics.clear()
    assert "message thread not found" in send(standin, "in it", GROUP, message_thread_id=thread)[1][0]


def test_who_is_shut_out_is_refused_everywhere(standin: Standin, ann: Person) -> None:
    number = send(standin)[1]["message_id"]
    ann.block()
    for method, more in (("sendMessage", {}), ("editMessageText", {"message_id": number}), ("getChat", {})):
        code, (why, _) = call(standin, method, chat_id=ANN, text="x", **more)
        assert (code, why) == (403, "Forbidden: bot was blocked by the user")
    ann.block(False)
    assert send(standin)[0] == 200
    group = standin.chat(GROUP, type="supergroup")
    Person(standin, ANN, "Ann", group).kick()
    assert send(standin, "x", GROUP)[1][0] == "Forbidden: bot was kicked from the supergroup chat"


def test_a_group_that_became_a_supergroup_names_its_new_number(standin: Standin) -> None:
    group = standin.chat(-500, type="group")
    standin.migrate(group, GROUP)
    code, (why, parameters) = send(standin, "x", -500)
    assert code == 400 and "upgraded to a supergroup" in why and parameters == {"migrate_to_chat_id": GROUP}
    assert send(standin, "x", GROUP)[0] == 200
    assert [u["message"].get("migrate_to_chat_id") for u in call(standin, "getUpdates")[1]] == [GROUP, None]


def test_a_bot_that_is_no_admin_hears_commands_and_replies_only(standin: Standin) -> None:
    group = standin.chat(GROUP, type="group", is_admin=False)
    ann = Person(standin, ANN, "Ann", group)
    message = group.messages[send(standin, "x", GROUP)[1]["message_id"]]
    assert ann.say("lunch?") == 0
    heard = [ann.say("/status"), ann.reply(message, "yes")]
    assert [update["update_id"] for update in call(standin, "getUpdates")[1]] == heard


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("<b>open", 'Can\'t find end tag corresponding to start tag "b"'),
        ("a < b", "Unclosed start tag at byte offset 2"),
        ("ä<b><i>x</b></i>", 'Unmatched end tag at byte offset 9, expected "</i>", found "</b>"'),
        ("<table>", 'Unsupported start tag "table" at byte offset 0'),
        ("</b>", "Unexpected end tag at byte offset 0"),
        ("<span>x</span>", 'Unsupported start tag "span"'),
    ],
)
def test_html_is_taken_strictly(wrong: str, why: str) -> None:
    with pytest.raises(Refused, match="can't parse entities") as refused:
        plain_text(wrong, "HTML")
    assert why in str(refused.value)


def test_html_that_is_right_shows_its_words() -> None:
    source = '<b>a</b> &lt;&amp;&quot;&#33;&#x21; &eacute; > <pre><code class="language-py">x</code></pre>'
    assert plain_text(source, "HTML") == 'a <&"!! &eacute; > x'


def test_lengths_are_counted_in_utf_16_units_without_the_formatting(standin: Standin) -> None:
    assert units("a👩") == 3
    assert send(standin, "<b>" + "👩" * 2048 + "</b>", parse_mode="HTML")[0] == 200
    assert send(standin, "👩" * 2049)[1][0] == "Bad Request: message is too long"
    assert send(standin, " \n ")[1][0] == "Bad Request: message text is empty"
    tap = {"callback_query_id": "tap", "text": "x" * 201}
    assert call(standin, "answerCallbackQuery", **tap)[1][0] == "Bad Request: MESSAGE_TOO_LONG"


def test_a_button_takes_64_bytes(standin: Standin) -> None:
    def with_data(data: str) -> tuple[int, Any]:
        keyboard = {"inline_keyboard": [[{"text": "A", "callback_data": data}]]}
        return send(standin, reply_markup=json.dumps(keyboard))

    assert with_data("é" * 32)[0] == 200
    assert with_data("é" * 33)[1][0] == with_data("")[1][0] == "Bad Request: BUTTON_DATA_INVALID"


def test_an_edit_needs_a_message_that_is_there_and_something_new(standin: Standin, ann: Person) -> None:
    number = send(standin)[1]["message_id"]
    given = {"chat_id": ANN, "message_id": number, "text": "hello"}
    assert "message is not modified" in call(standin, "editMessageText", **given)[1][0]
    ann.delete(standin.chats[ANN].messages[number])
    assert call(standin, "editMessageText", **given)[1][0] == "Bad Request: message to edit not found"


@pytest.mark.parametrize(("act", "done"), [("cut", 0), ("lose", 1), ("tear", 1)])
def test_a_connection_that_breaks_before_or_after_the_work(standin: Standin, act: str, done: int) -> None:
    standin.fault("sendMessage", act)
    with pytest.raises((OSError, http.client.HTTPException)):
        send(standin)
    assert len(standin.messages(ANN)) == done


def test_odd_answers(standin: Standin) -> None:
    standin.fault("getUpdates", "result", content=None)
    standin.fault("getUpdates", "result", content=[{"message": {}}])
    standin.fault("getUpdates", "refuse", code=400, description="Bad Request: odd")
    standin.fault("getUpdates", "page", code=200, content="<html>hello</html>")
    assert call(standin, "getUpdates") == (200, None)
    assert call(standin, "getUpdates") == (200, [{"message": {}}])
    assert call(standin, "getUpdates") == (400, ("Bad Request: odd", {}))
    with pytest.raises(ValueError):
        call(standin, "getUpdates")


def test_what_a_person_types_at_length_comes_in_parts(standin: Standin, ann: Person) -> None:
    ann.say("a" * 5000)
    parts = [update["message"]["text"] for update in call(standin, "getUpdates")[1]]
    assert [len(part) for part in parts] == [4096, 904]


def test_a_voice_message_and_a_photo_can_be_fetched(standin: Standin, ann: Person) -> None:
    ann.send("voice", b"ogg", name="v.oga")
    ann.send("photo", b"png", "look at this")
    voice, photo = [update["message"] for update in call(standin, "getUpdates")[1]]
    assert photo["caption"] == "look at this" and "text" not in photo
    for file_id, content in ((voice["voice"]["file_id"], b"ogg"), (photo["photo"][-1]["file_id"], b"png")):
        path = call(standin, "getFile", file_id=file_id)[1]["file_path"]
        address = standin.base_url.replace("/bot", f"/file/bot{TOKEN}/{path}")
        with urllib.request.urlopen(address, timeout=5) as answer:
            assert answer.read() == content


def test_a_forwarded_message_says_so_and_a_command_is_marked(standin: Standin, ann: Person) -> None:
    ann.forward("approve it")
    ann.say("/stop@otherbot now")
    forwarded, command = [update["message"] for update in call(standin, "getUpdates")[1]]
    assert forwarded["forward_origin"]["sender_user_name"] == "Mallory"
    assert command["entities"] == [{"type": "bot_command", "offset": 0, "length": len("/stop@otherbot")}]


def test_the_bot_learns_its_rights_in_a_group(standin: Standin) -> None:
    group: Chat = standin.chat(GROUP, type="supergroup", can_manage_topics=False)
    member = call(standin, "getChatMember", chat_id=GROUP, user_id=BOT["id"])[1]
    assert (member["status"], member["can_manage_topics"]) == ("administrator", False)
    group.is_admin = False
    assert call(standin, "getChatMember", chat_id=GROUP, user_id=BOT["id"])[1]["status"] == "member"
