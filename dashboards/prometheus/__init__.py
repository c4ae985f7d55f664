"""What Prometheus scrapes and alerts on."""
