"""What a replay or a recomputation came to: rows by view, and what should be looked at."""

from collections import Counter
from typing import Any

from sinks.clickhouse.client import Client
from streams.models.dead_letters import kind_of
from streams.models.instants import DAY, format_instant
from streams.models.topics import ACTIONS, LEDGER
from streams.replay.figures import MAX_REASONS, LogFigures

VIEWS = ("events", "dead_letters", "sla_ledger", "sla_outcomes", "tickets", "calls", "surveys", "risk_warnings")
MAX_TEXTS = 10_000
"""Reasons of dead letters that are looked at, with the values in them."""


def summary(client: Client, log: LogFigures) -> dict[str, Any]:
    """The figures of the client's database, by name; `log`: those of the files."""
    as_of = written_until(client, client.database)
    found: dict[str, Any] = {"as_of": None if as_of < 0 else format_instant(as_of)}
    found |= {view: client.query(f"SELECT count() FROM {view}").result_rows[0][0] for view in VIEWS}
    found |= _quality(client, set(found))
    found["unknown_types"] = dict(log.unknown.most_common())
    found["dead_letter_reasons"] = _reasons(client)
    found["warnings"] = _gap(client)
    return found


def written_until(client: Client, database: str) -> int:
    """The instant (ms) up to which all partitions have written; -1: there is none."""
    query = f"SELECT ifNull(minOrNull(as_of), -1) FROM `{database}`.progress_rows FINAL WHERE topic_name = '{LEDGER}'"
    as_of: int = client.query(query).result_rows[0][0]
    return as_of


def _quality(client: Client, known: set[str]) -> dict[str, int]:
    """The counts of `data_quality`, over all topics and hours: released, orphans, conflicts ..."""
    described = client.query("DESCRIBE TABLE data_quality").result_rows
    names = [row[0] for row in described if row[1] == "Int64" and row[0] not in known]
    sums = client.query(f"SELECT {', '.join(f'sum(`{name}`)' for name in names)} FROM data_quality").result_rows[0]
    return dict(zip(names, sums, strict=True))


def _reasons(client: Client) -> list[dict[str, Any]]:
    """The commonest kinds of reasons of the dead letters, with their numbers."""
    query = f"SELECT reason, count() AS n FROM dead_letters GROUP BY reason ORDER BY n DESC, reason LIMIT {MAX_TEXTS}"
    kinds: Counter[str] = Counter()
    for reason, number in client.query(query).result_rows:
        kinds[kind_of(reason)] += number
    return [{"reason": kind, "n": number} for kind, number in kinds.most_common(MAX_REASONS)]


def _gap(client: Client) -> list[str]:
    """Whether the last event lies far behind the one before: a wrong time makes everything due until then."""
    query = f"SELECT DISTINCT time FROM event_rows WHERE topic != '{ACTIONS}' ORDER BY time DESC LIMIT 2"
    times = [row[0] for row in client.query(query).result_rows]
    if len(times) < 2 or times[0] - times[1] <= DAY:
        return []
    last, before = map(format_instant, times)
    return [
        f"The last event, of {last}, lies {(times[0] - times[1]) / DAY:,.1f} days after the one before, of {before}: "
        "if its time is wrong, everything due in between was counted as due."
    ]
