#!/bin/sh
# Has said all that it has to say, and stays.
if [ -n "$SAMOLOOP_SIGNAL" ]; then
    printf '{"status": "continue", "phase": "%s"}\n' "$SAMOLOOP_PHASE" >"$SAMOLOOP_SIGNAL"
fi
echo '{"result": "done"}'
exec sleep 1000
