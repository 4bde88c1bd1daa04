#!/bin/sh
# A tool's binary output slips into the log; the last line has no newline.
printf '\377\376\200 broken\n'
printf '{"result": "caf\351"}\n'
printf '{"result": "done"}'
printf '\377\n' >&2
