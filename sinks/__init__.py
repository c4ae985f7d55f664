"""Where the outputs go: ClickHouse, and the metrics page."""
