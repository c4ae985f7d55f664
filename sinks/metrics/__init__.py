"""Every Prometheus metric: name, type, labels, meaning, and the source of its value; one module per role.

    role track      tables desk and customers ──┐
    role watch      its table ──────────────────┤
    role escalate   the table of chains ────────┼─ read at each scrape ──> http://127.0.0.1:PORT/metrics
    role store      the pipeline ───────────────┘

Values are plain attributes that the roles keep anyway: a metric costs nothing until it is scraped, but the delays and
row counts of role store (`sinks.metrics.store.CountingWriter`). A scrape runs in a
separate thread, so a container that may change meanwhile is copied in one step (`dict(…)`, `list(…)`) before iteration.
Counters start at 0 with the process, those of a partition at its takeover: read them with `rate()`.
"""
