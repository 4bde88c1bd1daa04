. ./till.sh
check "the average of nothing is 0" 0 average
