"""Usage limits of a fleet: what one machine meets holds for all that share its login, until it is over or forgotten."""

import time
from pathlib import Path

import pytest
from at_work import Host, fleet_row, hosts, waits
from kit import until
from test_machine import CHILD, ledger

from samoloop.fleet.database import HELD, Database
from samoloop.fleet.here import Here
from samoloop.fleet.limits import Limits, settle
from samoloop.worker import shared_limits

HOUR = 3600.0

# The first child in `limited` meets a usage limit, which is over in an hour.
LIMITED = (
    """
if [ -n "$SAMOLOOP_ITERATION" ] && [ -e "$(dirname "$0")/limited" ]; then
  cat > /dev/null; rm "$(dirname "$0")/limited"
  echo "$SAMOLOOP_ITERATION limit $FLEET_HOST" >> "$(dirname "$0")/ledger"
  printf '{"type":"error","trouble":"usage_limit","message":"spent","fatal":true,"resets_at":%s}\\n' \\
    "$(($(date +%s) + 3600))"
  exit 1
fi
"""
    + CHILD
)


@pytest.mark.parametrize(
    ("agreed", "mine", "theirs", "give", "take", "unlimit", "forget"),
    [
        ({}, {}, {}, {}, {}, set(), set()),
        ({}, {"a": 100.0}, {}, {"a": 100.0}, {}, set(), set()),  # met here
        ({}, {}, {"a": 100.0}, {}, {"a": 100.0}, set(), set()),  # met elsewhere
        ({"a": 100.0}, {"a": 100.0}, {"a": 101.0}, {}, {}, set(), set()),  # converted at two moments
        ({"a": 100.0}, {}, {"a": 100.0}, {}, {}, {"a"}, set()),  # forgotten here
        ({"a": 100.0}, {"a": 100.0}, {}, {}, {}, set(), {"a"}),  # forgotten elsewhere
        ({"a": 100.0}, {"a": 200.0}, {"a": 100.0}, {"a": 200.0}, {}, set(), set()),  # longer here
        ({"a": 100.0}, {"a": 100.0}, {"a": 50.0}, {}, {"a": 50.0}, set(), set()),  # forgotten and met anew elsewhere
        ({}, {"a": 100.0}, {"a": 300.0}, {}, {"a": 300.0}, set(), set()),  # met on both sides
        ({}, {"a": 300.0}, {"a": 100.0}, {"a": 300.0}, {}, set(), set()),
        ({"a": 100.0}, {}, {"a": 300.0}, {}, {"a": 300.0}, set(), set()),  # forgotten here, and met anew elsewhere
        ({}, {"a": 100.0}, {"b": 100.0}, {"a": 100.0}, {"b": 100.0}, set(), set()),
    ],
)
def test_who_changed_a_limit_since_both_sides_agreed_is_right(
    agreed: dict[str, float],
    mine: dict[str, float],
    theirs: dict[str, float],
    give: dict[str, float],
    take: dict[str, float],
    unlimit: set[str],
    forget: set[str],
) -> None:
    found = settle(agreed, mine, theirs)
    assert (found.give, found.take, found.unlimit, found.forget) == (give, take, unlimit, forget)


class Side:
    """One machine's limits, whose clock may be wrong."""

    def __init__(self, folder: Path, url: str, login: str = "default", ahead_seconds: float = 0.0) -> None:
        self.environ = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
        self.ahead = ahead_seconds
        self._url = url
        self._limits = Limits(Here(folder.name, folder.name, url, "", 30.0, login), self.environ)

    def share(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        real = time.time
        with monkeypatch.context() as patch, Database(self._url, "x") as database:
            patch.setattr("samoloop.fleet.limits.time.time", lambda: real() + self.ahead)
            return self._limits.share(database)

    def meet(self, provider: str, seconds: float) -> None:
        now = time.time() + self.ahead
        shared_limits.write(provider, now + seconds, "spent", self.environ, now)

    def left(self, provider: str) -> float:
        """For how many seconds more, by its own clock."""
        now = time.time() + self.ahead
        return max(shared_limits.read(provider, self.environ, now)[0] - now, 0.0)


def test_a_machine_whose_clock_is_wrong_waits_as_long_as_the_others(
    tmp_path: Path, database: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = Side(tmp_path / "ann", url), Side(tmp_path / "ben", url, ahead_seconds=HOUR)
    other = Side(tmp_path / "cid", url, login="another")
    ann.meet("claude", 600.0)
    for side in (ann, ben, other):
        side.share(monkeypatch)
    assert ben.left("claude") == pytest.approx(600.0, abs=5)
    assert other.left("claude") == 0.0
    ben.meet("codex", 300.0)
    ben.share(monkeypatch)
    assert "codex is limited until" in ann.share(monkeypatch)[0]
    assert ann.left("codex") == pytest.approx(300.0, abs=5)
    assert ann.share(monkeypatch) == []


def test_a_limit_that_was_forgotten_while_a_machine_was_off_does_not_come_back_with_it(
    tmp_path: Path, database: Database, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, ben = Side(tmp_path / "ann", url), Side(tmp_path / "ben", url)
    ann.meet("claude", 600.0)
    ann.share(monkeypatch)
    ben.share(monkeypatch)
    shared_limits.forget("claude", ben.environ)
    ben.share(monkeypatch)
    again = Side(tmp_path / "ann", url)  # begun anew
    assert again.share(monkeypatch) == ["The limit of claude was forgotten elsewhere"]
    assert again.left("claude") == 0.0
    assert database.limits("default") == {}


def limits(host: Host) -> list[str]:
    return [path.stem for path in (host.home / "state" / "samoloop" / "limits").glob("*.json")]


@pytest.mark.slow  # whole commands
def test_a_limit_met_on_one_machine_holds_on_the_others_and_is_forgotten_everywhere(tmp_path: Path, url: str) -> None:
    scripted = {"command": [str(tmp_path / "child.sh")], "output": "jsonl"}
    with hosts(tmp_path, url, LIMITED, "ann", "ben", settings={"providers": {"scripted": scripted}}) as (ann, ben):
        (tmp_path / "limited").touch()
        ann.start()
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: (fleet_row(ann, "x") or {}).get("condition") == "limited")
        assert fleet_row(ann, "x")["due_in"] == pytest.approx(HOUR, abs=60)
        ben.start()
        until(lambda: limits(ben) == ["scripted"])
        ben.say("run", "Another", "--session", "y", "--fleet")
        until(lambda: (fleet_row(ann, "y") or {}).get("due_in", 0) > 60)
        assert fleet_row(ann, "y")["reason"] == HELD
        assert ledger(tmp_path) == [("1", "limit", "ann")]  # nobody tried in vain
        until(lambda: any(record["event"] == "ended" for record in ben.records("x")))
        done = ben.run("resume", "x", "--now")
        assert done.returncode in (0, 6), done.stdout + done.stderr
        until(lambda: not limits(ann) and not limits(ben))
        for name in ("x", "y"):
            until(lambda name=name: waits(ann, name))
