# What a customer saves: a tenth, from three pieces on.
discount() {
  if [ $# -ge 3 ]; then echo $(($(total "$@") / 10)); else echo 0; fi
}
