#!/bin/sh
# Says which backups may go: rotate.sh KEEP < names. See README.md.
set -eu

usage() {
  echo "usage: rotate.sh KEEP < names, with KEEP a number from 1 on" >&2
  exit 2
}

[ $# -eq 1 ] || usage
case $1 in '' | *[!0-9]* | 0*) usage ;; esac

# Of each set all but the last KEEP names, which come oldest first.
all_but_newest() {
  awk -F - -v keep="$1" '
    { names[$1, ++count[$1]] = $0; if (count[$1] == 1) sets[++known] = $1 }
    END {
      for (s = 1; s <= known; s++)
        for (n = 1; n <= count[sets[s]] - keep; n++) print names[sets[s], n]
    }'
}

grep -E '^[a-z]+-[0-9]+\.' | LC_ALL=C sort | all_but_newest "$1"
