"""What a request asks for, as all pages read it: of which session, what was typed, which number."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from samoloop.base.errors import UsageError, shown
from samoloop.core.session import Session

SESSION = "/s/{tag}/{name}"  # how the addresses of a session's pages begin


def session_of(request: Request) -> Session:
    """The session that the address names. Raises Gone."""
    found: Session = request.app.state.site.session(request.path_params["tag"], request.path_params["name"])
    return found


def typed(form: Mapping[str, str], name: str) -> str:
    """What a person typed, with line feeds alone at the ends of lines, and without what no keyboard types."""
    text = form.get(name, "").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter for letter in text if letter in "\n\t" or not (ord(letter) < 0x20 or ord(letter) == 0x7F))


def number_typed(text: str, what: str, kind: type[int] | type[float]) -> Any:
    """None where nothing was typed. Raises UsageError."""
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        whole = "a whole number" if kind is int else "a number"
        raise UsageError(f"{what}: {whole}, please, and not {shown(text)}") from None


def number_in(address: str) -> int | None:
    """The number that a part of an address is; None for anything else."""
    return int(address) if address.isascii() and address.isdecimal() and len(address) < 10 else None
