"""What every room stands on: sentences for people, files, locks, time. Knows nothing of sessions."""
