"""Grafana's dashboards: generated; tests run the queries of their panels."""
