#!/usr/bin/env python3
"""Leaves a daemon behind that holds standard output open."""

import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
os.wait()
print('{"result": "done"}', flush=True)
