"""A text that waits for a word, used while its question is on its way."""

from threading import Thread

from phone import ANN, Phone

from samoloop.ui.telegram.drafts import Drafts, Purpose
from samoloop.ui.telegram.updates import Said


def test_a_text_that_was_used_stays_used_while_the_number_of_its_question_is_noted(phone: Phone) -> None:
    drafts = Drafts(phone.folder)
    for number in range(60):
        drafts.keep(Said(number, ANN, ANN, "Ann", 1, "mind the cache", 0.0), Purpose.REMARK, "mind the cache")
        draft = drafts.get(number)
        assert draft is not None
        noting = Thread(target=drafts.note_asked, args=(draft, 7))
        noting.start()
        drafts.remove(number)
        noting.join()
        assert drafts.get(number) is None
