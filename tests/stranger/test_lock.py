"""A child that removes the worker's lock: the worker writes nothing more where another one may be at work."""

import json
from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project

from samoloop.core.session import Session

DEEDS = {
    "removed": 'rm "$control/_lock"',
    "another": 'rm "$control/_lock"; touch "$control/_lock"',
    "a link": 'mv "$control/_lock" "$control/moved"; ln -s moved "$control/_lock"',
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_a_worker_whose_lock_was_removed_records_nothing_and_says_so(tmp_path: Path, deed: str) -> None:
    child = f"""control=$(dirname "$(readlink "$SAMOLOOP_SESSION_DIR/_history.jsonl")")
if [ $SAMOLOOP_PHASE = planning ] && mkdir {tmp_path}/did 2>/dev/null; then
cp "$control/_history.jsonl" {tmp_path}/before; {deed}; fi
{GOOD_CHILD}"""
    root = scripted_project(tmp_path, child)
    said = samoloop(root, "run", "Task", "--session", "a", "--yes")
    assert said.returncode != 0 and "the lock of 26-" in said.stderr and "nothing was recorded" in said.stderr
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    assert Session(Path(row["folder"])).journal.path.read_bytes() == (tmp_path / "before").read_bytes()
    said = samoloop(root, "resume", "a", "--yes")
    assert said.returncode == 0, said.stdout + said.stderr
