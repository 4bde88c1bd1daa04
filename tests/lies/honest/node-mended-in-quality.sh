# The review finds a fault and mends it; it is tested and reviewed again.
# project: node
# workflow: feature

in_quality() {
  if grep -q '>= 3 ' discount.js; then
    put_in discount.js 's/prices.length >= 3 /prices.length > 2 /'
    suite
    commit "Say it simpler"
    reviewed
    in_document review 's/^may be handed over/mended, test again/'
    next testing
  else
    reviewed
    next done
  fi
}
