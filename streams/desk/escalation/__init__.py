"""Escalation chains: who receives a message about a warning, when and how, and what stops it."""
