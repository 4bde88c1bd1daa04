"""Faces: the command line, the terminal, the phone. Each can be removed; none is needed for a session to exist."""
