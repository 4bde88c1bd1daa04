# A project is tried out, and what fails gets a test, as an honest child does it.
TASK="Try the till."
ITEM_1=
ITEM_2=

in_survey() { coverage; next exploration; }
in_exploration() {
  case $(first_open) in
    A1) tick A1; findings testing Testing; stay ;;
    *) tick A2; next regression ;;
  esac
}
in_regression() { judged testing refuted; next done; }
in_done() { summary; finish; }
