"""What a child leaves behind is ended, whatever it made of its mark."""

import json
import os
import sys
from pathlib import Path

import pytest
from kit import GOOD_CHILD, samoloop, scripted_project

from samoloop.core.records import Ended
from samoloop.core.session import Session

# In a process session of its own, without a descriptor of its parent's, come back to the worker before the child ends.
DAEMON = "import os, subprocess, sys; print(subprocess.Popen([*sys.argv[1:]], start_new_session=True).pid)"
ENVIRONMENTS = {
    "with a mark of its own": "SAMOLOOP_MARKER=x",
    "with an earlier child's mark": 'SAMOLOOP_MARKER="$(cat {}/first)"',
    "without a mark": "WORD=x",
}


@pytest.mark.parametrize("word", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_daemon_is_ended_with_its_child(tmp_path: Path, word: str):
    start = f'env -i PATH="$PATH" {word.replace("{}", str(tmp_path))} {sys.executable} -c "{DAEMON}" sleep 1000'
    deed = f"[ $SAMOLOOP_PHASE != requirements ] || [ -e {tmp_path}/pid ] || {start} > {tmp_path}/pid 2>/dev/null\n"
    first = f'[ $SAMOLOOP_PHASE != investigation ] || printf %s "$SAMOLOOP_MARKER" > {tmp_path}/first\n'
    root = scripted_project(tmp_path, first + deed + GOOD_CHILD)
    assert samoloop(root, "run", "Task", "--session", "a", "--no-wait").returncode == 3
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    [row] = json.loads(samoloop(root, "list", "--json").stdout)
    swept = [record.swept for record in Session(Path(row["folder"])).journal.read() if isinstance(record, Ended)]
    assert swept == [0, 1]
