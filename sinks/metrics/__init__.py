"""Every Prometheus metric: name, type, labels, meaning, and where its value is read; one module a role.

    role track      tables desk and customers ──┐
    role watch      its table ──────────────────┤
    role escalate   the table of chains ────────┼─ read at each scrape ──> http://127.0.0.1:PORT/metrics
    role store      the pipeline ───────────────┘

Values are plain attributes that the roles keep anyway: a metric costs nothing until it is scraped. A scrape runs in a
thread of its own, so what may change under it is copied in one step (`dict(…)`, `list(…)`) before it is iterated over.
Counters start at 0 with the process, those of a partition when the worker takes it over: read them with `rate()`.
"""
