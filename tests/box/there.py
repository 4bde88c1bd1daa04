"""Whether a sandbox can be had on this machine: exit code 0; else 1, and why there is none."""

import sys

from samoloop.children import sandbox

try:
    sandbox.find()
except sandbox.NoSandbox as none:
    print(none)
    sys.exit(1)
