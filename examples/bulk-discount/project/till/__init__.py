"""The till of a small shop. All money is in cents."""
