"""What a child may not see: the worker's secrets, by the settings and whatever they say."""

from pathlib import Path

import pytest
from kit import Bench, make_repo, script

from samoloop.base.errors import ConfigError
from samoloop.config import loading

DATABASE = "postgresql://samoloop:s3cret@127.0.0.1/fleet"
SECRETS = {
    "TELEGRAM_BOT_TOKEN": "123:abc",
    "AWS_SECRET": "key",
    "SAMOLOOP_PROVIDER": "scripted",
    "SAMOLOOP_FLEET_DATABASE": DATABASE,
}


def test_no_secret_of_the_worker_reaches_a_child(tmp_path: Path) -> None:
    child = script(tmp_path, 'env > seen; signal \'{"status": "blocked", "reason": "seen"}\'')
    bench = Bench(make_repo(tmp_path / "repo"), child, settings={"scrub": ["AWS_*"]})
    session = bench.session()
    bench.run(session, environ={**bench.environ, **SECRETS, "PLAIN": "yes"})
    seen = (session.dir / "seen").read_text().splitlines()
    assert "PLAIN=yes" in seen
    assert [line for line in seen if line.partition("=")[0] in SECRETS] == []


def test_the_database_of_a_fleet_is_known_by_the_person_alone_and_remembered_nowhere(tmp_path: Path) -> None:
    own, root = tmp_path / ".config" / "samoloop" / "config.yaml", tmp_path / "repo"
    own.parent.mkdir(parents=True)
    root.mkdir()
    own.write_text(f"fleet: {{database: '{DATABASE}', lease: 1m}}\n")
    environ = {"HOME": str(tmp_path)}
    found = loading.load(root, environ).fleet
    assert (found.database, found.lease_seconds, found.login) == (DATABASE, 60, "default")
    other = DATABASE.replace("fleet", "other")
    assert loading.load(root, {**environ, "SAMOLOOP_FLEET_DATABASE": other}).fleet.database == other
    assert loading.from_environment({"SAMOLOOP_FLEET_DATABASE": DATABASE}) == {}
    (root / ".samoloop.yaml").write_text(f"fleet: {{database: '{DATABASE}'}}\n")
    with pytest.raises(ConfigError, match="never in a project's file"):
        loading.load(root, environ)


def test_an_address_that_is_none_is_refused_without_being_shown(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "SAMOLOOP_FLEET_DATABASE": "samoloop:s3cret@db"}
    with pytest.raises(ConfigError, match="SAMOLOOP_FLEET_DATABASE: it must be an address") as refused:
        loading.load(tmp_path, environ)
    assert "s3cret" not in str(refused.value)
