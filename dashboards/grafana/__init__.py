"""Grafana's dashboards: generated, and checked by running what their panels ask."""
