#!/bin/sh
# Leaves a process behind that carries no mark; with --away it has also left the process session.
if [ "$1" = --away ]; then
    env -i setsid sleep 1000 &
else
    env -i sleep 1000 &
fi
while [ "$(tr -d '\0' <"/proc/$!/comm")" != sleep ]; do sleep 0.01; done
echo '{"result": "done"}'
