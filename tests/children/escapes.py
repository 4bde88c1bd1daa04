#!/usr/bin/env python3
"""Leaves a process behind without an environment, in a session of its own.

With --holding-lock it keeps the inherited descriptors.
"""

import os
import sys

reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if "--holding-lock" not in sys.argv:
        os.closerange(200, 300)
    os.execve("/bin/sleep", ["sleep", "1000"], {})  # closes the pipe
os.close(writer)
os.read(reader, 1)
print('{"result": "done"}', flush=True)
