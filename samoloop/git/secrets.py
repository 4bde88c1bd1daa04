"""Whether a new file looks like a secret. It is read to a limit, in one pass, and what is in it is never repeated."""

import re
from pathlib import Path

from samoloop.base.files import open_plain

READ_BYTES = 64 * 1024
_STORES = re.compile(r".*\.(?:p12|pfx|jks|keystore)|id_(?:rsa|dsa|ecdsa|ed25519)")
_SETTINGS = re.compile(r"(?:\.env(?:\..*)?|.*\.env|\.envrc)")
_NO_SECRET = re.compile(
    r"(?:^|[/._-])(?:example|sample|template|dist|defaults?|tests?|testdata|fixtures?|mocks?|specs?)(?:$|[/._-])"
)
_ASSIGNED = re.compile(
    rb"^[ \t]*(?:export[ \t]+)?[A-Z0-9_]{0,60}(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)[A-Z0-9_]{0,20}"
    rb"[ \t]*=[ \t]*[\"']?([^\s\"'#]{8,400})",
    re.MULTILINE,
)
_PLACEHOLDER = re.compile(rb"^[<${\[]|change|your|example|placeholder|dummy|xxx|\.\.\.|todo|test", re.IGNORECASE)
_KEY = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\n){1,9}"
    rb"(?:[\w-]{1,40}: [^\n]{0,200}\n\s{0,2}){0,5}[A-Za-z0-9+/=]{40}"
)
_TOKEN = re.compile(
    rb"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60}|glpat-[\w-]{20}|xox[abprs]-[\w-]{20}"
    rb"|sk-ant-[\w-]{30}|sk-(?:proj-)?[A-Za-z0-9_]{40}|sk_live_[A-Za-z0-9]{20}|AIza[\w-]{35}|npm_[A-Za-z0-9]{36}"
    rb"|pypi-[\w-]{50}|hf_[A-Za-z0-9]{30}|SG\.[\w-]{20,24}\.[\w-]{30})"
)
_DISTINCT = 10  # characters of a token: fewer are made up


def looks_like_a_secret(root: Path, path: str) -> bool:
    """Whether the file at `path` below `root` is a key, a token or settings with one; examples and tests are none."""
    lowered = path.lower()
    if _NO_SECRET.search(lowered):
        return False
    name = lowered.rpartition("/")[2]
    if _STORES.fullmatch(name):
        return True
    try:
        with open_plain(root / path) as file:
            content = file.read(READ_BYTES)
    except (OSError, ValueError):
        return False
    if _KEY.search(content) or any(_is_real(match[0]) for match in _TOKEN.finditer(content)):
        return True
    return bool(_SETTINGS.fullmatch(name)) and any(
        not _PLACEHOLDER.search(match[1]) for match in _ASSIGNED.finditer(content)
    )


def _is_real(token: bytes) -> bool:
    return len(set(token)) >= _DISTINCT and not _PLACEHOLDER.search(token)
