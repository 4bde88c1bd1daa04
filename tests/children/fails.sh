#!/bin/sh
# Fails as a CLI does.
echo 'no credit left' >&2
exit 3
