# Runs every tests/test_*.sh and prints TAP; exit code 1 where a check fails.
count=0 failed=0

# check NAME WANTED COMMAND...: the output of the command, lines joined by blanks
check() {
  name=$1 wanted=$2
  shift 2
  count=$((count + 1))
  got=$("$@" 2>&1 | tr '\n' ' ')
  if [ "$got" = "$wanted" ]; then
    echo "ok $count - $name"
  else
    echo "not ok $count - $name"
    echo "# wanted: $wanted"
    echo "# got: $got"
    failed=1
  fi
}

# rotate KEEP NAME...
rotate() {
  keep=$1
  shift
  printf '%s\n' "$@" | sh rotate.sh "$keep"
}

for file in tests/test_*.sh; do . "./$file"; done
echo "1..$count"
exit $failed
