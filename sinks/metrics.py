"""Every Prometheus metric: name, type, meaning."""
from typing import Any


class TrackMetrics:
    def __init__(self, desk: Any) -> None: ...


class StoreMetrics:
    def __init__(self, pipeline: Any, unknown: Any) -> None: ...


def serve(port: int, metrics: Any) -> None: ...
