check "the newest stays" "db-1.tar db-2.tar " rotate 1 db-1.tar db-2.tar db-3.tar
check "the order of the names does not matter" "db-1.tar " rotate 2 db-3.tar db-1.tar db-2.tar
check "with too few of them nothing goes" "" rotate 3 db-1.tar db-2.tar
check "each set is on its own" "db-1.tar mail-4.tar " rotate 1 db-1.tar mail-4.tar db-2.tar mail-5.tar
check "what has no number stays" "db-1.tar " rotate 1 db-1.tar db-2.tar README.md
