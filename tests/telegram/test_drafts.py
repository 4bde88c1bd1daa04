"""A text that waits for a word, used while its question is on its way."""

from threading import Thread

from phone import Phone

from samoloop.ui.telegram.drafts import Draft, Drafts, Purpose


def test_a_text_that_was_used_stays_used_while_the_number_of_its_question_is_noted(phone: Phone) -> None:
    drafts = Drafts(phone.folder)
    for number in range(60):
        draft = Draft(number, Purpose.REMARK, "mind the cache", "Ann", 1)
        drafts.keep(draft)
        noting = Thread(target=drafts.note_asked, args=(draft, 7))
        noting.start()
        drafts.remove(number)
        noting.join()
        assert drafts.get(number) is None
