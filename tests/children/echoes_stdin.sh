#!/bin/sh
# Like CLIs that read more input until its end before they start.
exec cat
