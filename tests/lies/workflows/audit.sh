# The code is examined, as an honest child examines it.
TASK="Is the till sound?"
ITEM_1=
ITEM_2=

in_survey() { coverage; next audit; }
in_audit() {
  case $(first_open) in
    A1) tick A1; findings review Audit; stay ;;
    *) tick A2; next verification ;;
  esac
}
in_verification() { judged review confirmed; next done; }
in_done() { summary; finish; }
