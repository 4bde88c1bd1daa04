"""Many sessions: where due ones come from, and who runs them."""
