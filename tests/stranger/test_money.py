"""Money that is money: what a subscription covers is counted apart, and what cannot be told is said once."""

import json
from pathlib import Path

import pytest
from kit import GOOD_CHILD, make_repo, samoloop, script

CODEX = """
echo '{"type":"thread.started","thread_id":"t"}'
echo '{"type":"turn.completed","usage":{"input_tokens":1000000,"cached_input_tokens":0,"output_tokens":0}}'
"""
CHATGPT = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": {"access_token": "a"}}
KEY = {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-x"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose child is a program called codex; its first child says how much it has read."""
    root = make_repo(tmp_path / "repo")
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin", CODEX + GOOD_CHILD, "codex")
    return root


def run(root: Path, login: dict[str, object], *words: str) -> tuple[int, str, dict[str, object]]:
    """Exit code, what was said, and where the session stands."""
    home = root.parent / "home"
    (home / ".codex").mkdir(parents=True, exist_ok=True)
    (home / ".codex" / "auth.json").write_text(json.dumps(login))
    env = {"HOME": str(home), "CODEX_PATH": str(root.parent / "bin" / "codex"), "CODEX_HOME": "", "CODEX_API_KEY": ""}
    given = ["--provider", "codex", "--session", "a", "--no-wait", *words]
    done = samoloop(root, "run", "Task", *given, env=env)
    standing = json.loads(samoloop(root, "status", "a", "--json", env=env).stdout)
    return done.returncode, done.stdout + done.stderr, standing


def test_what_a_subscription_covers_warns_and_stops_nothing(project: Path):
    code, said, standing = run(project, CHATGPT, "--model", "gpt-5", "--max-cost", "1", "--yes")
    assert code == 0, said
    totals = standing["totals"]
    assert totals["cost_usd"] == 0 and totals["unpriced"] == 0 and totals["virtual_usd"] == pytest.approx(10.0)
    assert said.count("of the ceiling of 1.00 USD of virtual cost is used; a subscription covers it") == 1
    assert "1.25 USD virtual" in said and "unknown" not in said
    text = samoloop(project, "status", "a", env={"HOME": str(project.parent / "home")}).stdout
    assert " of work, 10.00 USD virtual, " in text
    assert "10.00 USD virtual (a subscription covers it)" in (Path(str(standing["folder"])) / "_report.md").read_text()


def test_it_counts_like_money_where_a_person_wants_that(project: Path):
    (project / ".samoloop.yaml").write_text("ceilings: {virtual: stop}\n")
    code, said, _ = run(project, CHATGPT, "--model", "gpt-5", "--max-cost", "2", "--yes")
    assert code == 3 and "the ceiling of 2.00 USD is reached" in said


def test_a_key_is_money(project: Path):
    code, said, standing = run(project, KEY, "--model", "gpt-5", "--max-cost", "2", "--yes")
    assert code == 3 and "the ceiling of 2.00 USD is reached" in said
    assert standing["totals"]["cost_usd"] == pytest.approx(2.5) and standing["totals"]["virtual_usd"] == 0


def test_a_model_without_a_price_is_said_once_a_session(project: Path):
    code, said, standing = run(project, KEY, "--model", "gpt-99", "--yes")
    assert code == 0 and said.count("the price of gpt-99 is not in the table of 20") == 1
    assert standing["totals"]["unpriced"] == 8
    report = (Path(str(standing["folder"])) / "_report.md").read_text()
    assert report.count("the price of gpt-99") == 1 and "cost unknown for 8 iterations" in report


def test_a_journal_without_the_mark_is_money(project: Path):
    """What earlier versions wrote."""
    from samoloop.core.events import Usage
    from samoloop.core.state import Totals

    totals = Totals()
    totals.add(Usage(1, 2, None, 0.5), 1.0)
    assert (totals.cost_usd, totals.virtual_usd) == (0.5, 0.0)
    assert "virtual" not in Usage(1, 2, None, 0.5).to_json()
