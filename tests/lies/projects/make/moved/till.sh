# A till. Prices are in cents.

. ./money.sh

# The mean price; 0 where there is none.
average() { echo $(($(total "$@") / $#)); }
