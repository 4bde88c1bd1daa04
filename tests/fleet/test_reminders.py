"""What waits for a person is said again once for the fleet, by the machine that said it first."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from at_work import Host, hosts, waits
from kit import until
from test_machine import CHILD
from test_people import gate_is_here

pytestmark = pytest.mark.slow  # whole commands

HEARS = """#!/bin/sh
echo "$FLEET_HOST $(cat)" >> "$(dirname "$0")/heard"
"""


def heard(folder: Path, kind: str) -> list[tuple[str, int]]:
    """Which machine told the person so, and how often it had reminded of it by then."""
    path = folder / "heard"
    lines = [line.partition(" ") for line in path.read_text().splitlines()] if path.exists() else []
    said = [(host, json.loads(text)) for host, _, text in lines]
    return [(host, one.get("reminder", 0)) for host, one in said if one["kind"] == kind]


@contextmanager
def up(host: Host) -> Iterator[None]:
    """`samoloop up` beside `fleet work`; it reminds too."""
    command = [sys.executable, "-m", "samoloop", "up"]
    env = {**os.environ, **host.env}
    with subprocess.Popen(command, cwd=host.root, env=env, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


@pytest.mark.parametrize("beside", [False, True])
def test_a_gate_is_announced_and_reminded_of_once_for_the_fleet(tmp_path: Path, url: str, beside: bool) -> None:
    hears = tmp_path / "hears.sh"
    hears.write_text(HEARS)
    hears.chmod(0o755)
    settings = {"announce": {"command": [str(hears)], "remind": "1s"}}
    with hosts(tmp_path, url, CHILD, "ann", "ben") as (ann, ben), ExitStack() as more:
        for host in (ann, ben):
            host.settings = settings
            host.settle()
        ann.start()
        ben.start("--providers", "demo")  # it looks on
        for host in (ann, ben) if beside else ():
            more.enter_context(up(host))
        ann.say("run", "Add a feature", "--session", "x", "--fleet")
        until(lambda: waits(ben, "x") and gate_is_here(ben, "x"))
        until(lambda: len(heard(tmp_path, "questions")) >= 3)
        assert heard(tmp_path, "questions")[:3] == [("ann", 0), ("ann", 1), ("ann", 2)]
        ben.say("answer", "x", "Q1=A")
        until(lambda: len(heard(tmp_path, "plan")) >= 2)
        said = heard(tmp_path, "questions")
        assert said == [("ann", count) for count in range(len(said))]
        assert heard(tmp_path, "plan")[:2] == [("ann", 0), ("ann", 1)]
