#!/bin/sh
# Does all that a child should do.
echo '{"started": true}'
echo '{"tool": "a", "running": true}'
echo '{"tool": "a", "running": false}'
if [ -n "$SAMOLOOP_SIGNAL" ]; then
    printf '{"status": "continue", "phase": "%s"}\n' "$SAMOLOOP_PHASE" >"$SAMOLOOP_SIGNAL.tmp"
    mv "$SAMOLOOP_SIGNAL.tmp" "$SAMOLOOP_SIGNAL"
fi
echo '{"usage": 12}'
echo '{"result": "done"}'
