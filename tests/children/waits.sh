#!/bin/sh
# Says that it has started and works until the file $1 is there.
echo '{"started": true}'
while [ ! -e "$1" ]; do sleep 0.01; done
echo '{"result": "done"}'
