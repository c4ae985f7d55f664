"""The scrape configuration and the alerts of Prometheus."""
