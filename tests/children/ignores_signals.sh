#!/bin/sh
# Cannot be asked to end.
trap '' INT TERM
echo '{"started": true}'
while :; do sleep 1000; done
