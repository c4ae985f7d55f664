"""Faust meets the core: one module per role; its `register` declares the role's tables and agents on its app."""
