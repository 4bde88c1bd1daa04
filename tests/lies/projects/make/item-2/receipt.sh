# One line that a customer can read.
receipt() { echo "$# pieces, $(($(total "$@") - $(discount "$@"))) cents"; }
