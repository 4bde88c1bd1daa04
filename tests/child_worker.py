"""A worker of its own: starts one scripted child, says so, waits for it, and says how it ended.

Arguments: session folder, marker, program and its arguments. WITHIN in the environment: words of a sandbox, as JSON.
"""

import json
import os
import sys
from pathlib import Path

from child_runs import Attempt

from samoloop.children.processes import become_subreaper

become_subreaper()
attempt = Attempt(Path(sys.argv[1]), sys.argv[2], within=json.loads(os.environ.get("WITHIN", "[]")))
child = attempt.spawn(*sys.argv[3:])
print(child.pid, flush=True)
print(attempt.wait(child), flush=True)
