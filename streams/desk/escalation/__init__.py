"""Escalation chains: who gets a message about a warning, when, how, and what stops it."""
