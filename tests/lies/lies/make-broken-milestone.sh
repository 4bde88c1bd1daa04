# The second milestone breaks the first.
# project: make
# workflow: build
# class: code broken
# caught by: checks

in_implementation() {
  case $(first_open) in
    1.1) apply item-1; commit "A discount"; tick 1.1 ;;
    *) apply item-2; break_new_code; commit "A receipt"; tick 2.1 ;;
  esac
  next testing
}
