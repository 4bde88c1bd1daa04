"""What a person sees: the live screen, logs, where a session stands."""
