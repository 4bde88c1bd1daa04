"""Hand a task to an AI coding CLI, walk away, come back to finished work."""

__version__ = "0.1.0"
