"""ClickHouse: its schema (migrations), and the writing of rows."""
