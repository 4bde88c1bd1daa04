# An item turns out too large, and is split into two.
# project: node
# workflow: feature

in_implementation() {
  case $(first_open) in
    1.1) apply item-1; suite; commit "A discount"; tick 1.1; in_document plan 's/^- \[ \] 1.2 .*/- [ ] 1.2a a receipt\n- [ ] 1.2b its test/'; stay ;;
    1.2a) cp "$PROJECT/item-2/receipt.js" .; suite; commit "A receipt"; tick 1.2a; stay ;;
    *) apply item-2; suite; commit "Its test"; tick 1.2b; next testing ;;
  esac
}
