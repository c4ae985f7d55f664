"""Faust meets the core: one module a role, whose `register` declares the role's tables and agents on its app."""
