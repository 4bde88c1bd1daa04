#!/bin/sh
# Leaves a background process behind that is deaf to SIGTERM, and does not start before it is.
ready=$(mktemp)
(
    trap '' TERM
    rm "$ready"
    while :; do sleep 1000; done
) &
while [ -e "$ready" ]; do sleep 0.01; done
echo '{"result": "done"}'
