"""What people look at: Grafana, Prometheus, the wallboard."""
