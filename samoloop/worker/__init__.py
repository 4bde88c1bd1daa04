"""What moves a session: one iteration after the other, its gates, its waiting, its report."""
