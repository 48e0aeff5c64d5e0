"""A server small enough for a runbook: it says that it is there, and which version it is."""
