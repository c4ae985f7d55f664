"""The metrics page of a role, and the type of a metric."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from wsgiref.simple_server import WSGIServer

import prometheus_client
from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted
from faust.types.tuples import TP
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from streams import loopback
from streams.errors import StartRefused

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values, each with its label values."""


class Metric(NamedTuple):
    """One metric. `read` returns its samples, given the source of the role's metrics."""

    name: str
    type: Literal["counter", "gauge"]
    labels: tuple[str, ...]
    meaning: str
    read: Callable[[Any], Samples]


class RoleMetrics(Collector):
    """The metrics of a role, read from `source` at each scrape."""

    def __init__(self, metrics: Iterable[Metric], source: Any) -> None:
        self.metrics, self.source = tuple(metrics), source

    def collect(self) -> Iterator[prometheus_client.Metric]:
        """Yield each metric of the role with its present samples."""
        for metric in self.metrics:
            kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
            family = kind(metric.name, metric.meaning, labels=metric.labels)
            for labels, value in metric.read(self.source):
                family.add_metric(labels, value)
            yield family


PROCESS = {
    "process_virtual_memory_bytes": "Virtual memory.",
    "process_resident_memory_bytes": "Memory in RAM.",
    "process_start_time_seconds": "When the process started, in seconds since the epoch.",
    "process_cpu_seconds_total": "CPU time used.",
    "process_open_fds": "Open files and sockets.",
    "process_max_fds": "Maximum number of open files and sockets.",
}
"""The metrics of the process itself, by prometheus_client, on the page of every role."""


class PortTaken(StartRefused):
    """The metrics page cannot be served. The message is one sentence for people."""


def serve(port: int, metrics: Collector, host: str = "127.0.0.1") -> WSGIServer | None:
    """Serve a role's metrics at http://HOST:PORT/metrics, in a thread that ends with the process; nothing if port is 0.

    Returns the server, so that it can be stopped earlier. Raises PortTaken.
    """
    if not port:
        return None
    registry = prometheus_client.CollectorRegistry()
    registry.register(metrics)
    prometheus_client.ProcessCollector(registry=registry)
    try:
        server, _ = prometheus_client.start_http_server(port, host, registry)
    except OSError as error:
        raise PortTaken(
            f"The metrics cannot be served at {host}:{port} ({error.strerror}): set DESKWATCH_METRICS_PORT to a free "
            "port, or to 0 for none."
        ) from None
    # prometheus_client 0.26.0 (exposition.py:273-275) serves the page in its thread at once: until here, for a moment,
    # it is open to web pages.
    server.set_app(_gated(prometheus_client.make_wsgi_app(registry), any_host=host not in loopback.NAMES))
    return server


def _gated(page: "WSGIApplication", any_host: bool) -> "WSGIApplication":
    """The page, closed to web pages; Prometheus on another machine calls this one by any name."""

    def answer(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        names = "HTTP_HOST", "HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE"
        why = loopback.refusal(*(environ.get(name) for name in names), any_host=any_host)
        if why is None:
            return page(environ, start)
        start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{why}\n".encode()]

    return answer


# Samples


def single(value: float) -> Samples:
    """The one sample of a metric without labels."""
    return [((), value)]


def each(counts: Mapping[str, int]) -> Samples:
    """A sample for each name."""
    return [((name,), value) for name, value in dict(counts).items()]


def by_partition(table: Any, read: Callable[[Any], float]) -> list[tuple[tuple[str, ...], float]]:
    """For each partition of a `streams.checkpoint.table.CheckpointTable`, a sample of its state."""
    return [((str(part.number),), read(part.state)) for part in list(table.held.values()) if part.ready]


def lag(read: Callable[[], Mapping[TP, int]]) -> Samples:
    """Offsets by topic and partition; none during a rebalance (aiokafka asserts that partitions are assigned)."""
    try:
        return [((tp.topic, str(tp.partition)), offsets) for tp, offsets in read().items()]
    except (AssertionError, IllegalStateError, ConsumerNotStarted):
        return []


def table_lag(table: Any) -> Samples:
    """The lag of a checkpoint table; none before it holds a partition."""
    return lag(table.lag) if table.held else []
