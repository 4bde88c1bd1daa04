. ./till.sh
. ./discount.sh
check "three pieces are cheaper" 30 discount 100 100 100
check "two pieces are not" 0 discount 100 100
