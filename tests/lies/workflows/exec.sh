# One action, as an honest child takes it.
TASK="The till learns a discount."
ITEM_1="a tenth is saved from three pieces on"
ITEM_2=

in_exec() { apply item-1; suite; commit "A discount"; result; finish; }
