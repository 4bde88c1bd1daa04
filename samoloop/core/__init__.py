"""What a session is: values, rules and its files. No processes, no clock, no network."""
