. ./till.sh
check "a refund counts" -30 total -30
