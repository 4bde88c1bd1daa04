#!/bin/sh
# Ends politely on SIGINT only.
trap 'echo "{\"result\": \"interrupted\"}"; kill $tool; exit 1' INT
echo '{"started": true}'
sleep 1000 &
tool=$!
wait
