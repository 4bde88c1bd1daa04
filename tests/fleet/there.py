"""Whether several hosts can be had on this machine: exit code 0; else 1, and why not."""

import sys

import hosts

if why := hosts.why_not():
    print(why)
    sys.exit(1)
