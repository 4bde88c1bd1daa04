"""A stranger's words on the page: they show, and do nothing. Read as a browser does, by a parser that trusts nobody."""

import re
import time
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samoloop.base.printable import UNSEEN
from samoloop.ui.web.words import MOST_CHARACTERS, code, language, markdown, terminal

# What may stand on the page around a stranger's words. None of it loads, leads or runs anything.
TAGS = {
    *("h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "hr", "br"),
    *("table", "thead", "tbody", "tr", "th", "td", "span", "div"),
}
ATTRIBUTES = {"class", "tabindex"}
PLAIN_ATTRIBUTE = re.compile(r"[a-z0-9 -]*")
NASTY = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//e.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<img src='http://e.example/pixel.png'>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=javascript:alert(1)>",
    "<embed src=data:text/html,<script>alert(1)</script>>",
    "<base href=//e.example/>",
    "<link rel=stylesheet href=//e.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//e.example'>",
    "<style>@import '//e.example/x.css';</style>",
    "<div style=background:url(javascript:alert(1))>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=http://e.example/>x</a>",
    "<form action=//e.example><button>x</button></form>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<body onload=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<template><script>alert(1)</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo '<script>alert(1)</script>' ?>",
    "</pre></code></div><script>alert(1)</script>",
    "</textarea></title><script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    '" onmouseover="alert(1)" x="',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](file:///etc/passwd)",
    "[x](http://e.example 'a\" onmouseover=\"alert(1)')",
    "[x](http://e.example/<script>)",
    "[x]( http://e.example/\u202egnp.exe )",
    "[<img src=x onerror=alert(1)>](http://e.example)",
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    "<http://e.example/\"onmouseover=alert(1)>",
    "![x](http://e.example/pixel.png)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    '![" onerror="alert(1)](x)',
    "![a![b](http://e.example/b.png)](http://e.example/a.png)",
    "```\"><script>alert(1)</script>\nx\n```",
    "```js' onmouseover='alert(1)\nalert(1)\n```",
    "```mermaid\ngraph TD; A[<img src=x onerror=alert(1)>]-->B\n```",
    "    </code></pre><script>alert(1)</script>",
    "`</code><script>alert(1)</script>`",
    "| a<script> | b |\n|:--\"><script>|---|\n| <img src=x onerror=alert(1)> | ![x](http://e.example) |",
    "# </h2><script>alert(1)</script>",
    "> <script>alert(1)</script>\n>> [x](javascript:alert(1))",
    "1. <svg/onload=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "&#x202e;&#27;[31m&#0;&#x9b;31m",
    "\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07",
    "\x1b[31m<script>\x1b[0malert(1)",
    "<scr\x1b[0mipt>alert(1)</scr\x1b[0mipt>",
    "\x1b]0;<script>alert(1)</script>\x07",
    "\x9b31m\x9d0;x\x9c\x00\x08\x7f",
    "\u202e\u2066<script>alert(1)</script>\u2069\u202c",
    "\ud800<script>alert(1)</script>",
    "<\x00script>alert(1)</\x00script>",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "\u2028<script>alert(1)</script>\u2029",
    "{{7*7}}{% include 'x' %}${alert(1)}",
    "\\<script>alert(1)\\</script>",
    "[" * 6000 + "<script>alert(1)</script>",
    "> " * 40 + "<script>alert(1)</script>",
]  # fmt: skip


def as_python(text: str) -> str:
    return code(text, "x.py")


def as_html(text: str) -> str:
    return code(text, "a/b.html")


def as_diff(text: str) -> str:
    return code(text, "x.patch")


FUNCTIONS: tuple[Callable[[str], str], ...] = (markdown, terminal, code, as_python, as_html, as_diff)


class Read(HTMLParser):
    """The tags, attributes and words of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.words = ""
        self.feed(str(html))
        self.close()
        self.faults += [f"{tag} is left open" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.faults.append(f"<{tag}>")
        self.faults += [f"{name}={value}" for name, value in attrs if name not in ATTRIBUTES]
        self.faults += [f"{name}={value}" for name, value in attrs if not PLAIN_ATTRIBUTE.fullmatch(value or "")]
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> ends another")

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"<?{data}>")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"<![{data}]>")


def faults(html: str) -> list[str]:
    """What could act: a tag, an attribute or a control character that does not belong there."""
    acting = [f"{ord(letter):#x}" for letter in html if ord(letter) in UNSEEN and letter not in "\n\t"]
    return Read(html).faults + acting + [f"{ord(letter):#x}" for letter in html if 0xD800 <= ord(letter) < 0xE000]


def test_there_are_enough_of_them():
    assert len(set(NASTY)) >= 60


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_nasty_text_only_shows(function):
    assert {text: found for text in NASTY if (found := faults(function(text)))} == {}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_nasty_texts_only_show_also_where_they_meet(function):
    assert faults(function("\n\n".join(NASTY[:-2]))) == []
    assert faults(function(" ".join(NASTY[:-2]))) == []


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_made_of_them_only_shows(function, data):
    pieces = st.one_of(
        st.sampled_from(NASTY[:-2]), st.text(), st.sampled_from(["\n", "\n\n", "    ", "`", "[", "](", "<", "|", "&#"])
    )
    text = "".join(data.draw(st.lists(pieces, max_size=6)))
    assert faults(function(text)) == []


def test_the_eyes_see_what_acts():
    bad = [
        "<script>",
        "<p onclick=x>",
        "<p class='a:b'>",
        "<!-- x -->",
        "<a href=x>y</a>",
        "\x1b",
        "<p>",
        "</p>",
        "\ud800",
    ]
    assert all(faults(text) for text in bad)


def words_of(html: str) -> str:
    return Read(html).words


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_no_word_is_swallowed(function):
    for text in NASTY:
        if "\x1b" not in text and "\x9b" not in text and "script" in text and "&" not in text:
            assert "script" in words_of(function(text)).lower(), text


def test_a_link_is_its_words_and_its_address_and_a_picture_what_it_is_called():
    assert words_of(markdown("[the docs](https://e.example/docs 'and more')")).strip() == (
        "the docs https://e.example/docs and more"
    )
    assert words_of(markdown("<https://e.example>")).strip() == "https://e.example"
    assert words_of(markdown("[https://good.example](https://bad.example)")).strip() == (
        "https://good.example https://bad.example"
    )
    assert (
        words_of(markdown("![a *cat*](http://e.example/cat.png)")).strip() == "picture: a cat http://e.example/cat.png"
    )
    assert "picture: x http" in words_of(markdown("[![x](http://i.example)](http://l.example)"))
    assert "http://hidden.example" in words_of(markdown("text\n\n[x]: http://hidden.example 'words'\n"))


def test_a_document_reads_as_one():
    html = markdown(
        "# Plan\n\n- [x] one\n\n| n |\n|--:|\n| 1 |\n\n```mermaid\ngraph TD; A-->B\n```\n\n```\n+--+\n|  |\n```\n"
    )
    assert "<h2>Plan</h2>" in html
    assert '<td class="right">1</td>' in html
    assert "graph TD; A--&gt;B" in html
    assert "+--+\n|  |" in html
    assert "<h6>deep</h6>" in markdown("###### deep")


def test_what_the_parser_would_leave_out_is_shown_as_it_was_written():
    assert "hidden" in words_of(markdown("> " * 60 + "hidden"))
    assert "hidden" in words_of(markdown("- " * 60 + "hidden"))


def test_what_a_program_printed_has_no_colours_and_hides_nothing_behind_a_return():
    assert terminal("\x1b[1;31mred\x1b[0m\x1b]0;title\x07 \x1b[2K10%\r20%\r\n<b>\x08") == "red 10%\n20%\n&lt;b&gt;␈"
    assert terminal("\x9b31mred \x1b(B \x1b") == "red ␛(B ␛"


def test_code_has_the_colours_of_its_language():
    html = code("def f():\n    return 'x'  # why\n", "src/a.py")
    assert '<span class="hl-k">def</span>' in html
    assert '<span class="hl-c"># why</span>' in html
    assert words_of(html) == "def f():\n    return 'x'  # why\n"
    assert language("Dockerfile") == "docker"
    assert language("a/Makefile") == "make"
    assert "span" not in code("def f(): pass", "unknown.xyz")


@settings(max_examples=50, deadline=None)
@given(
    text=st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.just("\n")),
    end=st.sampled_from(["py", "js", "html", "diff", "json"]),
)
def test_colours_change_no_word(text, end):
    assert words_of(code(text, f"x.{end}")) == text


LONG = ["x", "word\n", "<b>", "\x1b[31m", "```\n", "> ", "| a ", "![", "**a", "`", "\\", "&lt;", "''' "]


@pytest.mark.slow
@pytest.mark.parametrize("function", (markdown, terminal, as_python), ids=lambda function: function.__name__)
@pytest.mark.parametrize("piece", LONG)
def test_what_is_too_long_is_cut_with_a_sentence_and_in_time(function, piece):
    started = time.process_time()
    html = function(piece * (2 * MOST_CHARACTERS // len(piece)))
    assert "Cut here, after 200,000 characters. The download has all of it." in words_of(html)
    assert faults(html) == []
    assert time.process_time() - started < 20  # seconds; on a machine of one's own less than one


def test_a_line_of_10_mb_is_cut():
    assert len(terminal("x" * 10_000_000)) < 2 * MOST_CHARACTERS
    assert len(markdown("x" * 10_000_000)) < 2 * MOST_CHARACTERS
