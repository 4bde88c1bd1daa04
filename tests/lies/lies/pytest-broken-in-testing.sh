# Testing breaks the code, and says that all is green.
# project: pytest
# workflow: feature
# class: code broken
# caught by: checks

in_testing() { break_code; commit "Tidy up"; tested; next quality; }
