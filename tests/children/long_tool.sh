#!/bin/sh
# A tool that runs for $1 seconds without a word.
echo '{"tool": "build", "running": true}'
sleep "$1"
echo '{"tool": "build", "running": false}'
echo '{"result": "done"}'
