# A till. Prices are in cents.

# What a customer pays.
total() {
  sum=0
  for price; do sum=$((sum + price)); done
  echo $sum
}

# The mean price; 0 where there is none.
average() { echo $(($(total "$@") / $#)); }
