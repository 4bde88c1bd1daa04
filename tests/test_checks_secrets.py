"""Which new files look like secrets, and which only speak of them. Every value here is made up."""

import random
import string
import time
from pathlib import Path

import pytest

from samoloop.git.secrets import looks_like_a_secret

_MADE_UP = random.Random(7)


def made_up(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_MADE_UP.choice(letters) for _ in range(length))


BODY = "\n".join(made_up(64) for _ in range(5))
KEY = f"-----BEGIN {{}}PRIVATE KEY-----\n{BODY}\n-----END {{}}PRIVATE KEY-----\n"
AWS = "AKIA" + made_up(16, string.ascii_uppercase + string.digits)

SECRETS = [
    ("deploy.pem", KEY.format("RSA ", "RSA ")),
    ("config/id", KEY.format("OPENSSH ", "OPENSSH ")),
    ("account.json", '{"private_key": "' + KEY.format("", "").replace("\n", "\\n") + '"}'),
    ("key.asc", f"-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: x\n\n{BODY}\n"),
    (".env", f"API_KEY={made_up(24)}\n"),
    ("web/.env.local", f"# mine\nexport DB_PASSWORD='{made_up(12)}'\n"),
    ("prod.env", f"A=1\nSTRIPE_SECRET_KEY={made_up(30)}\n"),
    ("settings.py", f"KEY = '{AWS}'\n"),
    ("a.txt", f"ghp_{made_up(36)}\n"),
    (".npmrc", f"//registry/:_authToken=npm_{made_up(36)}\n"),
    ("b.yaml", f"token: sk-ant-{made_up(40)}\n"),
    ("store.p12", "\0\1"),
    ("home/id_ed25519", "whatever"),
]
NONE = [
    (".env", "DEBUG=1\nPORT=8000\nAPI_KEY=\n"),
    (".env", "API_KEY=changeme\nTOKEN=<your token>\nSECRET=${SECRET_FROM_VAULT}\n"),
    (".env.example", f"API_KEY={made_up(24)}\n"),
    ("config/sample.env", f"API_KEY={made_up(24)}\n"),
    ("tests/fixtures/key.pem", KEY.format("RSA ", "RSA ")),
    ("test_keys.py", f"KEY = '{AWS}'\n"),
    ("README.md", "Put `-----BEGIN PRIVATE KEY-----` first, then AKIAIOSFODNN7EXAMPLE, and ghp_" + "x" * 36),
    ("public.pem", f"-----BEGIN PUBLIC KEY-----\n{BODY}\n"),
    ("cert.pem", f"-----BEGIN CERTIFICATE-----\n{BODY}\n"),
    ("app.py", "api_key = os.environ['API_KEY']\npassword = 'a'\n"),
    ("style.css", ".task-list-with-a-very-long-name-that-goes-on-and-on-and-on { color: red }\n"),
    ("keys.py", f"DIGEST = '{made_up(64, string.hexdigits)}'\n"),
]


@pytest.mark.parametrize(("name", "content"), SECRETS)
def test_a_secret_is_seen(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(content)
    assert looks_like_a_secret(tmp_path, name)


@pytest.mark.parametrize(("name", "content"), NONE)
def test_what_only_speaks_of_secrets_is_none(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(content)
    assert not looks_like_a_secret(tmp_path, name)


def test_what_is_no_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert not any(looks_like_a_secret(tmp_path, name) for name in ("folder", "link", "gone"))


def test_a_file_of_any_content_is_read_in_one_pass(tmp_path: Path) -> None:
    for content in ("KEY" * 30_000, "A=" * 40_000, "-----BEGIN " * 8_000, "A1 " * 30_000 + "=x", "sk-" + "_" * 70_000):
        (tmp_path / ".env").write_text(content)
        start = time.monotonic()
        looks_like_a_secret(tmp_path, ".env")
        assert time.monotonic() - start < 2  # a few milliseconds on an idle machine
