usage="usage: rotate.sh KEEP < names, with KEEP a number from 1 on "
check "keeping none is refused" "$usage" rotate 0 db-1.tar
check "a word is refused" "$usage" rotate all db-1.tar
check "nothing is refused" "$usage" sh rotate.sh
