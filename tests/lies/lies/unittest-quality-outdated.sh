# Quality reviewed the code; testing then changes it, and goes straight to the end.
# project: unittest
# workflow: feature
# class: shortcut
# caught by: shortcut guard

in_testing() {
  tested
  if ls "$DOCS" | grep -q -e '-review-'; then
    printf '\n\ndef free(prices):\n    return 0\n' >> discount.py
    commit "More"
    next done
  else
    next quality
  fi
}
in_quality() { reviewed; next testing; }
