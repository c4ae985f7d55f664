"""The dashboards: committed as generated, and ClickHouse runs the SQL of every panel over a real month."""

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from dashboards.grafana import queries
from dashboards.grafana.generate import files
from dashboards.grafana.macros import ALL, Range, expand
from dashboards.grafana.operations_now import operations_now
from dashboards.grafana.panels import SHARE, dashboard, row, stat
from tests.recorded import service_month

VIEWS = {
    "events", "sla_ledger", "sla_outcomes", "ticket_minutes", "call_minutes", "survey_minutes", "window_minutes",
    "backlog_minutes", "tickets", "calls", "surveys", "customers", "due_next", "service_levels", "satisfaction",
    "agent_states", "agent_days", "agent_months", "contact_reasons", "risk_warnings", "escalations", "actions",
    "freshness", "data_quality",
}  # fmt: skip
"""The views of the contract: a dashboard reads nothing else."""

DASHBOARD = operations_now()
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES: dict[str, str] = {item["name"]: item["query"]["rawSql"] for item in DASHBOARD["templating"]["list"]}


def test_the_committed_files_are_the_generated_ones() -> None:
    for path, text in files().items():
        assert path.read_text(encoding="utf-8") == text, "run: python -m dashboards.grafana.generate"
        json.loads(text)


def test_panels_lie_side_by_side_and_have_names_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        x, y, w, h = (panel["gridPos"][key] for key in "xywh")
        cells = {(column, line) for column in range(x, x + w) for line in range(y, y + h)}
        assert x + w <= 24
        assert not cells & taken
        taken |= cells


def test_a_row_that_is_too_wide_is_refused() -> None:
    with pytest.raises(ValueError, match="the row from 'a' on is 30 wide, more than 24"):
        dashboard("u", "t", "d", [], [[stat(title, "d", "SELECT 1", width=15) for title in "ab"]])
    assert dashboard("u", "t", "d", [], [[row("a")]])["panels"][0]["gridPos"] == {"w": 24, "h": 1, "x": 0, "y": 0}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_is_described_and_reads_views_only(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    for target in panel["targets"]:
        read = set(re.findall(r"\bFROM (\w+)", target["rawSql"]))
        assert read
        assert read <= VIEWS
        assert target["format"] == (0 if panel["type"] == "timeseries" else 1)
        for name in VARIABLES:  # All is no list of values: rows without a value count too
            assert target["rawSql"].count(f"${{{name}:") == target["rawSql"].count(f", ${name})")


class Desk(NamedTuple):
    """A database that holds the month, and what the dashboard's variables find in it."""

    client: Any
    at: Range
    every: dict[str, list[str]]

    def ask(self, sql: str, chosen: dict[str, list[str]]) -> Any:
        return self.client.query(expand(sql, self.at, chosen, self.every))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    pytest.importorskip("chdb")
    from sinks.clickhouse.client import connect
    from sinks.clickhouse.migrate import migrate
    from sinks.clickhouse.writer import Writer
    from streams import policies
    from streams.embedded.clickhouse import Server
    from streams.replay.recompute import recompute

    server = Server(tmp_path_factory.mktemp("clickhouse")).start()
    try:
        with connect(server.url, password=server.password) as client:
            migrate(client, "deskwatch")
        with (
            connect(server.url, password=server.password, database="deskwatch") as client,
            gzip.open(service_month()) as lines,
        ):
            policy = policies.load(policies.DEFAULT)
            recompute((line.strip() for line in lines), policy, Writer(client, "deskwatch", policy))
            first, last = client.query("SELECT min(time), max(time) FROM events").result_rows[0]
            at = Range(aware(first), aware(last), 3_600_000)
            every = {
                name: [value for (value,) in client.query(expand(sql, at, {}, {})).result_rows]
                for name, sql in VARIABLES.items()
            }
            yield Desk(client, at, every)
    finally:
        server.stop()


def aware(instant: datetime) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


TARGETS = [(panel, target) for panel in PANELS for target in panel["targets"]]
pytestmark = pytest.mark.xdist_group("the month in ClickHouse")  # recomputed once

EACH_TARGET = pytest.mark.parametrize(
    ("panel", "target"), TARGETS, ids=[f"{panel['title']} {target['refId']}" for panel, target in TARGETS]
)


@pytest.mark.embedded
@EACH_TARGET
def test_a_panel_shows_the_month(desk: Desk, panel: dict[str, Any], target: dict[str, Any]) -> None:
    everything = {name: [ALL] for name in VARIABLES}
    answer = desk.ask(target["rawSql"], everything)
    rows, types = answer.result_rows, [kind.base_type for kind in answer.column_types]
    assert rows
    assert panel["type"] == "table" or any(re.search("Int|Float|Decimal", kind) for kind in types)
    named = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    assert named <= set(answer.column_names)
    if panel["type"] == "timeseries":
        assert answer.column_names[0] == "time"
        assert types[0].startswith("DateTime")
        times = [found[0] for found in rows]
        assert times == sorted(times)
    if panel["type"] == "stat":
        assert len(rows) == 1
    if panel["fieldConfig"]["defaults"]["unit"] == SHARE:
        shares = [index for index, kind in enumerate(types) if kind.startswith("Float")]
        assert shares
        assert all(0 <= found[index] <= 1 for found in rows for index in shares if found[index] is not None)


@pytest.mark.embedded
@EACH_TARGET
def test_a_panel_takes_any_choice(desk: Desk, panel: dict[str, Any], target: dict[str, Any]) -> None:
    listed = {name: list(values) for name, values in desk.every.items()}
    for chosen in (listed, {name: ["it's", "a\\b", ALL[:3]] for name in listed}):
        desk.ask(target["rawSql"], chosen)


@pytest.mark.embedded
def test_the_panels_agree_with_the_tables(desk: Desk) -> None:
    """The backlog is what is open; the teams' rows add up; a choice of one queue shows that queue alone."""
    everything = {name: [ALL] for name in VARIABLES}
    ((shown, _, breached),) = desk.ask(queries.BACKLOG_NOW, everything).result_rows
    by_team = desk.ask(queries.BACKLOG_BY_TEAM, everything).result_rows
    assert (sum(found[1] for found in by_team), sum(found[3] for found in by_team)) == (shown, breached)
    # The panel is as of the last whole minute: what came in the log's last minute is left out of both.
    is_open = "status NOT IN ('solved', 'closed') AND merged_into = '' AND created_at < toStartOfMinute(now_at)"
    last = "(SELECT complete_until FROM freshness WHERE view = 'tickets') AS now_at"
    ((standing,),) = desk.client.query(f"WITH {last} SELECT count() FROM tickets WHERE {is_open}").result_rows
    assert shown == standing
    ((_, _, n),) = desk.ask(queries.FIRST_RESPONSE_ATTAINMENT, everything).result_rows
    ((counted,),) = desk.client.query(
        "SELECT countIf(outcome IN ('met', 'breached', 'late')) FROM sla_outcomes WHERE metric = 'first_response'"
    ).result_rows
    assert n == counted
    for queue in desk.every["queue"][:2]:
        (only,) = desk.ask(queries.SERVICE_LEVEL_BY_QUEUE, everything | {"queue": [queue]}).result_rows
        assert only[0] == queue


@pytest.mark.embedded
def test_the_bounds_of_csat_are_those_of_the_view(desk: Desk) -> None:
    """Over one hour of one team, the panel's arithmetic must give the view's own bounds."""
    ((hour, team, rate, low, high),) = desk.client.query(
        "SELECT hour, team, any(rate), any(rate_low), any(rate_high) FROM satisfaction WHERE metric = 'csat' AND n > 3 "
        "GROUP BY hour, team HAVING count() = 1 ORDER BY any(n) DESC, hour, team LIMIT 1"
    ).result_rows
    at = Range(aware(hour), aware(hour))
    found = desk.client.query(expand(queries.CSAT_BY_TEAM, at, {name: [ALL] for name in VARIABLES}, desk.every))
    (shown,) = [line[2:] for line in found.result_rows if line[0] == team]
    assert shown == pytest.approx((rate, low, high), rel=1e-12)
