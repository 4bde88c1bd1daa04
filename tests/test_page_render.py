"""What templates make of a stranger's words."""

import pytest
from markupsafe import Markup

from samoloop.ui.web.render import _templates


def shown(value: object) -> str:
    return _templates().from_string('<p title="{{ value }}">{{ value }}</p>').render(value=value)


@pytest.mark.parametrize(
    ("acting", "picture"),
    [
        ("\x1b[2J", "␛[2J"),
        ("\0", "␀"),
        ("\x08", "␈"),
        ("\x7f", "␡"),
        ("\r", "␍"),
        ("\x9b31m", "\ufffd31m"),
        ("\u202egnp", "\ufffdgnp"),
        ("\u2066", "\ufffd"),
        ("\ud800", "\ufffd"),
    ],
)
def test_what_would_act_on_a_screen_or_turn_a_line_is_shown_as_a_picture_of_itself(acting: str, picture: str) -> None:
    assert shown(f"a{acting}b") == f'<p title="a{picture}b">a{picture}b</p>'


def test_words_are_escaped_and_lines_stay_lines() -> None:
    assert shown("<b>\n\t\"'") == '<p title="&lt;b&gt;\n\t&#34;&#39;">&lt;b&gt;\n\t&#34;&#39;</p>'


def test_what_was_made_html_before_and_what_is_no_text_stay_as_they_are() -> None:
    assert shown(Markup("<b>x</b>")) == '<p title="<b>x</b>"><b>x</b></p>'
    assert shown(3) == '<p title="3">3</p>'
