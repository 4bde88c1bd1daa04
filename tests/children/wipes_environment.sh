#!/bin/sh
# Leaves a process behind that carries no mark, in the process session of its CLI.
env -i sleep 1000 &
while [ "$(tr -d '\0' <"/proc/$!/comm")" != sleep ]; do sleep 0.01; done
echo '{"result": "done"}'
