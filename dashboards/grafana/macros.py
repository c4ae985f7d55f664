"""Expands the SQL of a panel as Grafana does, so that tests can run it without Grafana: PURE.

rawSql ──$__conditionalAll──> ──dashboard variables──> ──macros──> SQL     as grafana-clickhouse-datasource 4.20 does:
        (CHDatasource.ts)      (Grafana)                (macros.go)
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from streams.errors import DeskwatchError

ALL = "$__all"
"""The value of a variable set to "All"."""

Values = Mapping[str, Sequence[str]]
"""By variable, the chosen values; `[ALL]` for all."""

_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(\w+)|\[\[(\w+)\]\]")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.S)
_MACRO = re.compile(r"\$__(\w+)")
_CONDITIONAL = "$__conditionalAll("
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class MacroError(DeskwatchError, ValueError):
    """Grafana would not expand this, or not as intended. The message is one sentence."""


class Range(NamedTuple):
    """The time range of a dashboard, and the width of about a pixel (`interval_ms`)."""

    start: datetime
    end: datetime
    interval_ms: int = 60_000


def expand(sql: str, at: Range, chosen: Values, every: Values) -> str:
    """The SQL that the plugin sends to ClickHouse. Raises MacroError.

    Arguments:
        chosen: the chosen values of each variable.
        every: all values of each variable, which Grafana inserts for "All".
    """
    values = {name: every[name] if list(value) == [ALL] else value for name, value in chosen.items()}
    sql = _COMMENT.sub(" ", replace_variables(conditional_all(sql, chosen), values))
    while macros := list(_MACRO.finditer(sql)):
        macro = macros[-1]  # the innermost: macros nest since 4.20
        arguments, end = (
            _arguments(sql, macro.end()) if sql[macro.end() : macro.end() + 1] == "(" else ([], macro.end())
        )
        sql = sql[: macro.start()] + _call(macro[1], arguments, at) + sql[end:]
    return sql


def conditional_all(sql: str, chosen: Values) -> str:
    """Replace each `$__conditionalAll(condition, $variable)` with the condition, or `1=1` if all is chosen."""
    while (start := sql.rfind(_CONDITIONAL)) >= 0:
        arguments, end = _arguments(sql, start + len(_CONDITIONAL) - 1)
        if len(arguments) != 2:
            raise MacroError(f"$__conditionalAll takes 2 arguments, not {len(arguments)}.")
        name = arguments[1].strip("${}")
        if name not in chosen:
            raise MacroError(f"$__conditionalAll names {arguments[1]}, which is no variable.")
        everything = "".join(chosen[name]) in ("", ALL)
        sql = sql[:start] + ("1=1" if everything else arguments[0]) + sql[end:]
    return sql


def replace_variables(sql: str, values: Values) -> str:
    """Replace `${name:sqlstring}` with quoted values, separated by commas.

    Raises MacroError for any other form, which would not be escaped.
    """

    def replace(match: re.Match[str]) -> str:
        name = match[1] or match[3] or match[4]
        if name.startswith("__"):
            return match[0]
        if name not in values:
            raise MacroError(f"{match[0]} is no variable of the dashboard.")
        if match[2] != "sqlstring":
            raise MacroError(f"{match[0]} would be put in unescaped: write ${{{name}:sqlstring}}.")
        return ",".join("'" + value.replace("'", "''") + "'" for value in values[name])

    return _VARIABLE.sub(replace, sql)


def _call(name: str, arguments: list[str], at: Range) -> str:
    if name not in _MACROS:
        raise MacroError(f"$__{name} is no macro that these dashboards use.")
    number, expansion = _MACROS[name]
    if len(arguments) != number:
        raise MacroError(f"$__{name} takes {number} arguments, not {len(arguments)}.")
    return expansion(at, *arguments)


def _seconds(instant: datetime) -> str:
    return f"toDateTime({int(instant.timestamp())})"


def _milliseconds(instant: datetime) -> str:
    return f"fromUnixTimestamp64Milli({int(instant.timestamp() * 1000)})"


def _between(column: str, at: Range, instant: Callable[[datetime], str]) -> str:
    return f"{column} >= {instant(at.start)} AND {column} <= {instant(at.end)}"


def _group(column: str, period: str) -> str:
    parts = re.findall(r"([\d.]+)(ms|s|m|h)", period.strip("'\" "))
    width = round(sum(float(number) * _UNITS[unit] for number, unit in parts))
    return f"toStartOfInterval(toDateTime({column}), INTERVAL {width} second)"


_MACROS: dict[str, tuple[int, Callable[..., str]]] = {
    "fromTime": (0, lambda at: _seconds(at.start)),
    "toTime": (0, lambda at: _seconds(at.end)),
    "fromTime_ms": (0, lambda at: _milliseconds(at.start)),
    "toTime_ms": (0, lambda at: _milliseconds(at.end)),
    "timeFilter": (1, lambda at, column: _between(column, at, _seconds)),
    "timeFilter_ms": (1, lambda at, column: _between(column, at, _milliseconds)),
    "dateFilter": (1, lambda at, column: _between(column, at, lambda instant: f"toDate('{instant:%Y-%m-%d}')")),
    "timeInterval": (1, lambda at, column: _group(column, f"{max(at.interval_ms // 1000, 1)}s")),
    "timeGroup": (2, lambda _at, column, period: _group(column, period)),
    "interval_s": (0, lambda at: str(max(at.interval_ms // 1000, 1))),
}
"""By macro, the number of its arguments, and its expansion."""


def _arguments(sql: str, start: int) -> tuple[list[str], int]:
    """The arguments of the call whose `(` is at `start`, and the index after its `)`."""
    depth, begin = 0, start + 1
    arguments: list[str] = []
    for index, character in _outside_quotes(sql, start):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if not depth:
                last = sql[begin:index].strip()
                return ([*arguments, last] if last or arguments else []), index + 1
        elif character == "," and depth == 1:
            arguments.append(sql[begin:index].strip())
            begin = index + 1
    raise MacroError(f"A parenthesis is not closed after {sql[max(0, start - 30) : start]!r}.")


def _outside_quotes(sql: str, start: int) -> Iterator[tuple[int, str]]:
    quote = ""
    for index in range(start, len(sql)):
        character = sql[index]
        if quote:
            if character == quote and sql[index - 1] != "\\":
                quote = ""
        elif character in "'\"`":
            quote = character
        else:
            yield index, character
