#!/bin/sh
# A child of the fleet's fault run: it does what each phase asks, asks twice, and leaves marks by which "once" is counted.
# The ledger stands outside of all hosts, in this script's folder: begun, signalled; session, iteration, host, token, pid, uptime.
cat > /dev/null
[ -n "$SAMOLOOP_ITERATION" ] || exit 0
n=$SAMOLOOP_ITERATION
token=$(cat /proc/sys/kernel/random/uuid)
note() {
  read -r up _ < /proc/uptime
  echo "$1 ${SAMOLOOP_SESSION_DIR##*/} $n $HOSTNAME $token $$ $up" >> "${0%/*}/ledger"
}
signal() {
  printf '%s\n' "{\"token\": \"$token\", $1}" > "$SAMOLOOP_SIGNAL.tmp" && mv "$SAMOLOOP_SIGNAL.tmp" "$SAMOLOOP_SIGNAL" || exit 3
}
next() { signal "\"status\": \"continue\", \"phase\": \"$1\""; }
document() { echo "iteration $n" >> "11-21-0900-$1-x.md" || exit 3; }
ask() {
  for question in "$@"; do
    printf '### %s: Which way, in iteration %s?\nA) one\nB) two\n' "$question" "$n"
    printf '**Suggestion:** A - simpler\n**Answer:** _waiting_\n\n'
  done > _qa.md.new && mv _qa.md.new _qa.md || exit 3
  signal '"status": "waiting", "for": "qa_answers"'
}
note begun
cd "$SAMOLOOP_SESSION_DIR" || exit 3
byte=$(printf %d "0x$(echo "$token" | cut -c1-2)")
sleep "$((byte % 2)).$byte"
mkdir -p "$SAMOLOOP_WORKTREE/done" && echo "$token" > "$SAMOLOOP_WORKTREE/done/$n" && echo "$token" > "mark-$n.md" || exit 3
case $SAMOLOOP_PHASE in
investigation) document dive; next requirements;;
requirements)
  case $(ls asked-* 2> /dev/null | wc -l) in
  0) touch "asked-$n"; ask Q1 Q2;;
  1) if [ -e "asked-$n" ]; then ask Q1 Q2; else touch "asked-$n"; ask Q3; fi;;
  *) if [ -e "asked-$n" ]; then ask Q3; else document requirements; next planning; fi;;
  esac;;
planning)
  document plan; grep -q '[[][ x][]]' 11-21-0900-plan-x.md || echo '- [ ] 1.1 it works' >> 11-21-0900-plan-x.md
  signal '"status": "waiting", "for": "plan_approval", "file": "11-21-0900-plan-x.md"';;
implementation)
  sed 's/[[] []]/[x]/' 11-21-0900-plan-x.md > .ticked && mv .ticked 11-21-0900-plan-x.md || exit 3
  echo code > "$SAMOLOOP_WORKTREE/feature.txt"; next testing;;
testing) document testing; next quality;;
quality) document review; next done;;
done) document summary; signal '"status": "done", "summary": "all good"';;
*) exit 4;;
esac
note signalled
