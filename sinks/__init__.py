"""Where the outputs go: ClickHouse, messages to people, and the metrics page."""
