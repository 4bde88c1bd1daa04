#!/bin/sh
# Prints its pid and works until the file $1 is there.
echo "{\"pid\": $$}"
while [ ! -e "$1" ]; do sleep 0.01; done
echo '{"result": "done"}'
