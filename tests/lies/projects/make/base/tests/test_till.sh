. ./till.sh
check "the total adds up" 400 total 100 250 50
check "nothing costs nothing" 0 total
check "the average" 150 average 100 200
