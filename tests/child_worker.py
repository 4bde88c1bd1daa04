"""A worker to be killed: starts one scripted child, says so, and waits for it.

Arguments: session folder, marker, program and its arguments.
"""

import sys
from pathlib import Path

from child_runs import Attempt

attempt = Attempt(Path(sys.argv[1]), sys.argv[2])
child = attempt.spawn(*sys.argv[3:])
print(child.pid, flush=True)
print(attempt.wait(child), flush=True)
