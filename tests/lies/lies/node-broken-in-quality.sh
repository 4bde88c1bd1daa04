# The review breaks the code after testing, and hands it over.
# project: node
# workflow: feature
# class: code broken
# caught by: checks

in_quality() { break_code; commit "Tidy up"; reviewed; next done; }
