"""The user interfaces: Grafana, Prometheus, the wallboard."""
