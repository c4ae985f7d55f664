"""Logs: reading, feeding, recomputing and verifying them, and sending repaired dead letters."""
