"""A stranger's words as HTML that only shows: nothing in them runs, is loaded or can be followed.

Markdown goes through a parser that knows no HTML, then through a list of what may be there. A link is its words and its
address, as text; a picture is what it is called and its address. No text is hidden: what would be is shown as written.
"""

import re
import time
from collections.abc import Iterator, MutableMapping, Sequence
from functools import cache
from itertools import groupby
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String

from samoloop.base.printable import one_line, printable

MOST_CHARACTERS = 200_000  # of one text on a page; about 50 pages of a book
_MOST_COLOURED = 100_000  # characters of one text in which a language's words are looked for
_LONGEST_LINE = 2_000  # of such a text: nobody wrote a longer one by hand
_COLOUR_SECONDS = 0.3  # of one text; what is left then has no colours
_MOST_BRACKETS = 5_000  # of a document; each may begin a link, and is looked at again and again
_MOST_NESTED = 20  # blocks within blocks: the parser leaves out what lies deeper
_LONGEST_ADDRESS = 300
_CUT = "Cut here, after {:,} characters. The download has all of it."

_TAGS = {
    *("p", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "hr", "br"),
    *("table", "thead", "tbody", "tr", "th", "td", "span", "div"),
}
_ATTRIBUTES = {"pre": {"tabindex"}, "div": {"tabindex"}}  # what is wider than a screen is scrolled by keyboard too
_CLASSES = {
    "span": {"image", "link", "hl-k", "hl-s", "hl-c", "hl-n", "hl-f", "hl-d", "hl-i"},
    "code": {"address"},
    "pre": {"code", "plain"},
    "p": {"cut", "fence"},
    "div": {"document", "wide"},
    "th": {"right", "center"},
    "td": {"right", "center"},
}

# What makes up a language, by the classes of `page.css`; a kind that has no colour is plain text.
_KINDS = (
    (Comment, "hl-c"),
    (Keyword, "hl-k"),
    (Operator.Word, "hl-k"),
    (Name.Tag, "hl-k"),
    (String, "hl-s"),
    (Number, "hl-n"),
    (Name.Function, "hl-f"),
    (Name.Class, "hl-f"),
    (Name.Decorator, "hl-f"),
    (Name.Attribute, "hl-f"),
    (Generic.Deleted, "hl-d"),
    (Generic.Inserted, "hl-i"),
    (Generic.Heading, "hl-k"),
    (Generic.Subheading, "hl-k"),
)
# How a file's name ends -> the language as Pygments names it. No other is tried: some of its 500 take their time.
_LANGUAGES = {
    **{end: "python" for end in ("py", "pyi", "python")},
    **{end: "javascript" for end in ("js", "mjs", "cjs", "jsx", "javascript")},
    **{end: "typescript" for end in ("ts", "tsx", "mts", "typescript")},
    **{end: "bash" for end in ("sh", "bash", "zsh", "shell")},
    **{end: "yaml" for end in ("yaml", "yml")},
    **{end: "c" for end in ("c", "h")},
    **{end: "cpp" for end in ("cc", "cpp", "cxx", "hh", "hpp")},
    **{end: "html" for end in ("html", "htm", "vue", "svelte")},
    **{end: "xml" for end in ("xml", "svg")},
    **{end: "rust" for end in ("rs", "rust")},
    **{end: "kotlin" for end in ("kt", "kts", "kotlin")},
    **{end: "ruby" for end in ("rb", "ruby")},
    **{end: "csharp" for end in ("cs", "csharp")},
    **{end: "diff" for end in ("diff", "patch")},
    **{end: "make" for end in ("makefile", "mk", "make")},
    **{end: "docker" for end in ("dockerfile", "docker")},
    **{end: "ini" for end in ("ini", "cfg", "conf")},
    **{
        end: end for end in ("json", "toml", "go", "java", "php", "swift", "scala", "sql", "css", "scss", "lua", "dart")
    },
}

Env = MutableMapping[str, Any]  # what the rules of one document hand on to each other

_CONTROL_SEQUENCE = re.compile("(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]")  # colours, and moves of the cursor
_COMMAND = re.compile("(?:\x1b\\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)")  # a title, a link


def markdown(text: str) -> Markup:
    """A document as HTML. Its headings begin at the second level: the first is the page's own."""
    text, cut = _bounded(text)
    text = printable(text)
    made = _rendered(text)
    if made is None:
        return Markup('<div class="document">{}{}</div>').format(_block("plain", escape(text)), cut)
    clean = nh3.clean(
        made, tags=_TAGS, attributes=_ATTRIBUTES, allowed_classes=_CLASSES, url_schemes=set(), link_rel=None
    )
    return Markup('<div class="document">{}{}</div>').format(Markup(printable(clean)), cut)  # of `&#x202e;`


def terminal(text: str) -> Markup:
    """What a program printed, for a `<pre>`: without colours, other control characters as pictures of themselves."""
    text, cut = _bounded(text, in_lines=True)
    plain = _COMMAND.sub("", _CONTROL_SEQUENCE.sub("", text)).replace("\r\n", "\n").replace("\r", "\n")
    return escape(printable(plain)) + cut


def code(text: str, name: str = "") -> Markup:
    """A file's text in the colours of its language, which its name tells."""
    text, cut = _bounded(text)
    return _block("code", Markup("\n").join(coloured(text, name))) + cut


def coloured(text: str, name: str) -> list[Markup]:
    """The lines of a file's text, each with the colours of its language; without any where that would take long."""
    text = printable(text)
    lexer = _lexer(language(name))
    lines = text.split("\n")
    if lexer is None or len(text) > _MOST_COLOURED or max(map(len, lines)) > _LONGEST_LINE:
        return [escape(line) for line in lines]
    made = [Markup("")]
    for kind, pieces in groupby(_pieces(lexer, text), key=lambda piece: piece[0]):
        first, *others = "".join(words for _, words in pieces).split("\n")
        made[-1] += _span(kind, first)
        made += [_span(kind, other) for other in others]
    return made


def language(name: str) -> str:
    """The language of a file by its name, or of a fence by its first word; empty where it has no colours."""
    return _LANGUAGES.get(name.rpartition("/")[2].rpartition(".")[2].lower(), "")


def _bounded(text: str, *, in_lines: bool = False) -> tuple[str, Markup]:
    """The text as far as a page bears it, and the sentence that says so where it is cut."""
    if len(text) <= MOST_CHARACTERS:
        return text, Markup("")
    said = _CUT.format(MOST_CHARACTERS)
    return text[:MOST_CHARACTERS], escape(f"\n{said}") if in_lines else Markup('<p class="cut">{}</p>').format(said)


def _block(kind: str, inner: Markup) -> Markup:
    return Markup('<pre class="{}" tabindex="0"><code>{}</code></pre>').format(kind, inner)


def _pieces(lexer: Lexer, text: str) -> Iterator[tuple[str, str]]:
    """The text in pieces with their classes, which are empty for plain text, and for all from a moment on."""
    end, done = time.monotonic() + _COLOUR_SECONDS, 0
    for place, kind, words in lexer.get_tokens_unprocessed(text):
        yield next((name for group, name in _KINDS if kind in group), ""), words
        done = place + len(words)
        if time.monotonic() > end:
            break
    yield "", text[done:]


def _span(kind: str, words: str) -> Markup:
    return Markup('<span class="{}">{}</span>').format(kind, words) if kind and words.strip() else escape(words)


@cache
def _lexer(alias: str) -> Lexer | None:
    return get_lexer_by_name(alias) if alias else None


def _rendered(text: str) -> str | None:
    """None where it is no document that people write: the parser would take long for it, or leave out a part."""
    if text.count("[") > _MOST_BRACKETS:
        return None
    tokens = _parser().parse(text)
    if any(token.level >= _MOST_NESTED - 1 for token in tokens):
        return None
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        elif token.type in ("th_open", "td_open") and (style := token.attrs.pop("style", "")):
            token.attrs["class"] = str(style).partition(":")[2]
    return str(_parser().renderer.render(tokens, _parser().options, {}))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _MOST_NESTED}).enable("table")
    parser.disable("reference")  # it would be followed by nobody, and hide what is written there
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser


def _fence(self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Env) -> str:
    info = tokens[place].info.strip()
    said = Markup('<p class="fence">{}</p>').format(info) if info and info not in _LANGUAGES else ""
    return f"{said}{code(tokens[place].content.rstrip(chr(10)), info.partition(' ')[0])}\n"


def _table_open(self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Env) -> str:
    return '<div class="wide" tabindex="0"><table>\n'


def _table_close(self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Env) -> str:
    return "</table></div>\n"


def _link_open(self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Env) -> str:
    following = tokens[place + 1 : place + 3]
    alone = len(following) == 2 and following[1].type == "link_close"
    is_said = alone and following[0].content == tokens[place].attrs["href"]
    env["address"] = "" if is_said else _address(tokens[place], "href")
    return '<span class="link">'


def _link_close(self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Env) -> str:
    return f"</span>{env['address']}"


def _image(self: RendererHTML, tokens: Sequence[Token], place: int, options: Any, env: Env) -> str:
    called = self.renderInlineAsText(tokens[place].children or [], options, env)
    return Markup('<span class="image">{}</span>{}').format(f"picture: {called}", _address(tokens[place], "src"))


def _address(token: Token, name: str) -> Markup:
    words = f"{token.attrs[name]} {token.attrs.get('title', '')}"
    return Markup(' <code class="address">{}</code>').format(one_line(words, _LONGEST_ADDRESS))


_RULES = {
    "fence": _fence,
    "code_block": _fence,
    "table_open": _table_open,
    "table_close": _table_close,
    "link_open": _link_open,
    "link_close": _link_close,
    "image": _image,
}
