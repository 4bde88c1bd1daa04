# Nobody verifies the finding of the review.
# project: unittest
# workflow: review
# class: finding unverified
# caught by: document ledger

in_verification() { next done; }
