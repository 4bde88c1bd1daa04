"""A gateway that knows its callers and keeps each within its rate."""
