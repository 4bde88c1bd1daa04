# What a customer pays, in cents.
total() {
  sum=0
  for price; do sum=$((sum + price)); done
  echo $sum
}
