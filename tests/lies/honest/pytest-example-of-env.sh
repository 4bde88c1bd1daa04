# A file that shows which keys there are, without one.
# project: pytest
# workflow: feature

in_implementation() { apply item-1 item-2; echo "API_KEY=your-key-here" > .env.example; suite; commit "A discount and a receipt"; tick 1.1 1.2; next testing; }
