"""What a child may not see: the worker's secrets, by the settings and whatever they say."""

from pathlib import Path

from kit import Bench, make_repo, script

SECRETS = {"TELEGRAM_BOT_TOKEN": "123:abc", "AWS_SECRET": "key", "SAMOLOOP_PROVIDER": "scripted"}


def test_no_secret_of_the_worker_reaches_a_child(tmp_path: Path) -> None:
    child = script(tmp_path, 'env > seen; signal \'{"status": "blocked", "reason": "seen"}\'')
    bench = Bench(make_repo(tmp_path / "repo"), child, settings={"scrub": ["AWS_*"]})
    session = bench.session()
    bench.run(session, environ={**bench.environ, **SECRETS, "PLAIN": "yes"})
    seen = (session.dir / "seen").read_text().splitlines()
    assert "PLAIN=yes" in seen
    assert [line for line in seen if line.partition("=")[0] in SECRETS] == []
