"""ClickHouse: its schema (migrations) and what is written to it."""
