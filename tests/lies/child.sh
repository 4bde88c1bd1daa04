#!/bin/sh
# One child of one session: child.sh PROJECT WORKFLOW SESSION. Every phase begins as an honest child would do it; the
# session's own script says afterwards what is different.
set -eu
cat > /dev/null
here=$(dirname "$0")
PROJECT=$here/projects/$1
LIAR=
case $3 in */lies/lies/*) LIAR=yes ;; esac
. "$here/words.sh"
. "$PROJECT/project.sh"
. "$here/workflows/$2.sh"
. "$3"
cd "$SAMOLOOP_WORKTREE"
"in_$PHASE"
