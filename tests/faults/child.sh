#!/bin/sh
# The scripted child of the fault matrix: one action an iteration, noted in a ledger of its own, outside of everything
# that samoloop writes. What it leaves is the same whenever it is run again.
note() { printf '%s %s %s\n' "$1" "$SAMOLOOP_ITERATION" "${SAMOLOOP_MARKER##* }" >> "$FAULTS_LEDGER"; }
signal() { printf '%s\n' "$1" > "$SAMOLOOP_SIGNAL.tmp" && mv "$SAMOLOOP_SIGNAL.tmp" "$SAMOLOOP_SIGNAL"; }
next() { signal "{\"status\": \"continue\", \"phase\": \"$1\"}"; }
wait_for() { signal "{\"status\": \"waiting\", \"for\": \"$1\", \"file\": \"$2\"}"; }
commit() { git add "$1" && git -c user.name=Child -c user.email=child@example.org commit --quiet -m "Add $1"; }
took() { note "done"; sleep "$1"; }

note begun
if grep -qF "$FAULTS_GUIDANCE"; then note told; fi
cd "$SAMOLOOP_SESSION_DIR" || exit 1
printf -- '- %s: a step\n' "$SAMOLOOP_PHASE" >> _overview.md
case $SAMOLOOP_PHASE in
investigation)
  echo "what I found" > 11-21-0900-dive-x.md; took 0.05; next requirements;;
requirements)
  if grep -qs 'by Ann' _qa.md; then echo "what is wanted" > 11-21-0900-requirements-x.md; took 0; next planning; exit; fi
  { printf '# Questions\n\n### Q1: Which way?\nA) one\nB) two\n**Suggestion:** A - simpler\n**Answer:** _waiting_\n'
    printf '\n### Q2: How far?\n**Suggestion:** far\n**Answer:** as far as I like\n'; } > _qa.md
  took 0.1; signal '{"status": "waiting", "for": "qa_answers"}';;
planning)
  echo "- [ ] 1.1 the plan" > 11-21-0900-plan-x.md
  printf '# Plan approval\nDecision: approve\nBy: the child\nComments:\n' > _approval.md
  took 0; wait_for plan_approval 11-21-0900-plan-x.md;;
implementation)
  echo "- [x] 1.1 the plan" > 11-21-0900-plan-x.md
  cd "$SAMOLOOP_WORKTREE" || exit 1
  if [ "$(git show HEAD:b.txt 2> /dev/null)" = b ]; then  # one killed while it wrote left an empty file
    echo c > c.txt; setsid sleep 60 > /dev/null 2>&1 &
    took 0; next testing; exit
  fi
  sleep 0.15; echo a > a.txt
  git cat-file -e HEAD:a.txt 2> /dev/null || commit a.txt
  echo b > b.txt; took 0.2; next implementation;;
testing)
  sleep 0.1; echo tested >> 11-21-0900-testing-x.md; took 0.15; next quality;;
quality)
  echo reviewed >> 11-21-0900-review-x.md
  echo d > "$SAMOLOOP_WORKTREE/d.txt"; took 0; next "done";;
done)
  echo "all good" > 11-21-0900-summary-x.md; took 0; signal '{"status": "done", "summary": "all good"}';;
esac
