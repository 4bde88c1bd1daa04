#!/bin/sh
# Closes standard error and works on.
exec 2>&-
sleep 0.3
echo '{"result": "done"}'
