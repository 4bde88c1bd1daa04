"""What the page's looks have to hold: contrast in light and dark, nothing inline that its policy would refuse."""

import re

import pytest

from samoloop.ui.web.render import HERE

CSS = (HERE / "static" / "page.css").read_text(encoding="utf-8")
TEMPLATES = sorted((HERE / "templates").glob("*.html"))
LIGHT, _, _REST = CSS.partition("@media (prefers-color-scheme: dark)")
DARK = _REST.partition("\n}\n")[0]
TEXT, EDGE = 4.5, 3.0  # what WCAG 2 asks for at level AA
GROUNDS = ("ground", "raised")
LEAST = {
    **{(words, ground): TEXT for words in ("text", "soft", "link", "good", "bad", "warn") for ground in GROUNDS},
    **{(tone, f"on-{tone}"): TEXT for tone in ("good", "warn", "bad", "busy")},
    **{  # code, also where it was added or removed
        (words, ground): TEXT
        for words in ("text", "word", "number", "good", "bad", "soft", "link")
        for ground in ("raised", "ground", "on-good", "on-bad")
    },
    ("on-link", "link"): TEXT,
    **{("edge", ground): EDGE for ground in GROUNDS},
}


def values(part: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lower, higher = sorted((luminance(one), luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def test_contrast_is_reckoned_as_the_standard_says():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_is_readable_in_light_and_in_dark(scheme):
    colours = values(LIGHT if scheme == "light" else DARK)
    found = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in LEAST}
    assert {pair: at for pair, at in found.items() if at < LEAST[pair]} == {}


def test_both_schemes_name_the_same_colours():
    assert values(LIGHT).keys() == values(DARK).keys()


def test_a_colour_is_named_once_and_so_holds_in_both_schemes():
    """A colour that stands in a rule would be the same in the dark."""
    rules = CSS.replace(LIGHT[LIGHT.index(":root") :].partition("\n}\n")[0], "").replace(DARK, "")
    assert re.findall(r":[^;{}]*(#[0-9a-fA-F]{3,8})\b[^;{}]*[;}]", rules) == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_needs_what_the_policy_forbids(template):
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|https?://", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert "|safe" not in text.replace(" ", "")
