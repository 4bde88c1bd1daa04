"""Git as a session needs it: worktrees, commits, checkpoints, the way back. The only place that calls git."""
