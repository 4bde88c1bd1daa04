"""The page: a window on all sessions, in a browser. It reads what all faces read, and acts through `api` alone."""
