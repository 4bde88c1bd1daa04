#!/bin/sh
# Hangs before its first word.
exec sleep 1000
