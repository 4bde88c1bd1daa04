"""Child processes: start, watch, end, adopt, sweep up. Knows nothing of sessions."""
