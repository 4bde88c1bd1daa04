"""What stands on a page that a stranger's text must never have put there, as the browser read it."""

from pathlib import Path
from typing import Any

_LOOK = Path(__file__).with_name("audit.js").read_text()


def strange(page: Any, scripts: tuple[str, ...] = ("/static/page.js",)) -> list[str]:
    """Elements, attributes, addresses and acting characters that no template of ours makes."""
    return [str(one) for one in page.evaluate(_LOOK, list(scripts))]
