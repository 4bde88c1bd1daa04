. ./till.sh
. ./discount.sh
. ./receipt.sh
check "the receipt takes the discount off" "3 pieces, 270 cents" receipt 100 100 100
check "the receipt of two pieces" "2 pieces, 200 cents" receipt 100 100
