"""The parts of a dashboard, in the JSON of Grafana 13: plain functions over dicts, PURE.

A panel has one or more queries, a title, and a description of what is counted.
"""

from collections.abc import Iterable, Sequence
from typing import Any

Json = dict[str, Any]

DATASOURCE = {"type": "grafana-clickhouse-datasource", "uid": "clickhouse"}
PLUGIN = "4.20.0"
WIDTH = 24
_FORMATS = {"timeseries": 0, "table": 1}  # of the plugin's answers

COUNT, SHARE, SECONDS, INSTANT = "short", "percentunit", "s", "dateTimeAsLocal"
"""Units."""


def dashboard(
    uid: str, title: str, description: str, variables: Sequence[Json], rows: Iterable[Sequence[Json]]
) -> Json:
    """A dashboard of rows of panels, side by side in their own widths, numbered in reading order."""
    placed: list[Json] = []
    y = 0
    for row in rows:
        x = 0
        for panel in row:
            size = panel["gridPos"]
            placed.append({**panel, "id": len(placed) + 1, "gridPos": {**size, "x": x, "y": y}})
            x += size["w"]
        if x > WIDTH:
            raise ValueError(f"the row from {row[0]['title']!r} on is {x} wide, more than {WIDTH}")
        y += max(panel["gridPos"]["h"] for panel in row)
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["deskwatch"],
        "schemaVersion": 41,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": list(variables)},
        "annotations": {"list": []},
        "panels": placed,
    }


def variable(name: str, label: str, sql: str) -> Json:
    """A variable with multiple choice, or all; `sql` returns its values."""
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATASOURCE,
        "query": query(sql, "table", name),
        "multi": True,
        "includeAll": True,
        "current": {"text": ["All"], "value": ["$__all"]},
        "refresh": 1,  # when the dashboard is loaded
        "sort": 1,
    }


def query(sql: str, kind: str, name: str = "A") -> Json:
    """A query of the ClickHouse plugin; `kind`: table or timeseries."""
    return {
        "refId": name,
        "datasource": DATASOURCE,
        "pluginVersion": PLUGIN,
        "editorType": "sql",
        "queryType": kind,
        "format": _FORMATS[kind],
        "rawSql": sql.strip(),
        "meta": {},
    }


def row(title: str) -> Json:
    """A heading."""
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": WIDTH, "h": 1}}


def stat(
    title: str, description: str, sql: str, *, unit: str = COUNT, width: int, overrides: Sequence[Json] = ()
) -> Json:
    """A large number for each column of a one-row result."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "/.*/", "values": False},
        "orientation": "vertical",
        "textMode": "value_and_name",
        "colorMode": "value",
        "graphMode": "none",
        "wideLayout": True,
    }
    return _panel("stat", title, description, [query(sql, "table")], unit, width, 5, options, overrides)


def table(
    title: str, description: str, sql: str, *, width: int, height: int = 8, overrides: Sequence[Json] = ()
) -> Json:
    """A table."""
    options = {"showHeader": True, "cellHeight": "sm"}
    return _panel("table", title, description, [query(sql, "table")], COUNT, width, height, options, overrides)


def timeseries(
    title: str,
    description: str,
    *sql: str,
    unit: str = COUNT,
    width: int,
    height: int = 8,
    bars: bool = False,
    overrides: Sequence[Json] = (),
) -> Json:
    """Lines, or stacked bars, over time. A result has `time`, `label` and `value`, or `time` and a column per line."""
    options = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    queries = [query(text, "timeseries", chr(ord("A") + n)) for n, text in enumerate(sql)]
    panel = _panel("timeseries", title, description, queries, unit, width, height, options, overrides)
    defaults = panel["fieldConfig"]["defaults"]
    defaults["custom"] = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 60 if bars else 0,
        "lineWidth": 0 if bars else 2,
        "showPoints": "auto",
        "stacking": {"mode": "normal" if bars else "none", "group": "A"},
    }
    if all("AS label" in text for text in sql):
        defaults["displayName"] = "${__field.labels.label}"
    return panel


def column(name: str, **properties: Any) -> Json:
    """An override for a column: properties of Grafana, with `custom_hidden` for `custom.hidden`."""
    settings = [{"id": key.replace("custom_", "custom."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": settings}


def red_above(limit: float) -> Json:
    """Thresholds: red at `limit` and above."""
    return {"mode": "absolute", "steps": [{"color": "green", "value": None}, {"color": "red", "value": limit}]}


def _panel(
    kind: str, title: str, description: str, queries: list[Json], unit: str, width: int, height: int, options: Json,
    overrides: Sequence[Json],
) -> Json:  # fmt: skip
    plain = {"mode": "absolute", "steps": [{"color": "text", "value": None}]}
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "gridPos": {"w": width, "h": height},
        "targets": queries,
        "fieldConfig": {"defaults": {"unit": unit, "thresholds": plain}, "overrides": list(overrides)},
        "options": options,
    }
