"""Escalation chains: who is told of a warning, when, how, and what stops it."""
