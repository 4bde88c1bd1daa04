. ./till.sh
check "a refund counts" 70 total 100 -30
