# A change in two items, as an honest child makes it.
TASK="The till learns a discount and a receipt."
ITEM_1="a tenth is saved from three pieces on"
ITEM_2="a receipt shows what is paid"

in_investigation() { dive; next requirements; }
in_requirements() { if answered; then requirements; next planning; else ask; fi; }
in_planning() { plan; submit; }
in_implementation() {
  case $(first_open) in
    1.1) apply item-1; suite; commit "A discount"; tick 1.1; stay ;;
    1.2) apply item-2; suite; commit "A receipt"; tick 1.2; next testing ;;
    *) next testing ;;
  esac
}
in_testing() { suite; tested; next quality; }
in_quality() { reviewed; next done; }
in_done() { summary; finish; }

# All of the implementation in one go: what most lies start from.
all_of_it() { apply base item-1 item-2; tick 1.1 1.2; }
