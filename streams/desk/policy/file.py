"""Reads the text of a policy file into sections. An error says what is wrong, where, and what was expected."""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from streams.desk.calendars.business_time import Calendar
from streams.desk.calendars.opening_hours import DaysOff
from streams.desk.policy.receivers import Escalation, Pool, Receiver, Rota, people_faults
from streams.desk.policy.rules import Rule, rule_faults
from streams.desk.policy.sections import (
    Agents,
    CalendarSection,
    Callbacks,
    Calls,
    Clocks,
    Csat,
    Goal,
    Name,
    Quality,
    RiskIndex,
    Scorecard,
    Section,
    Signal,
    SlaSection,
    Windows,
)
from streams.desk.policy.values import ByPriority, Duration, Instant, Targets, TimeZone, decode
from streams.errors import UserError
from streams.models.envelope import METRICS

_T = TypeVar("_T")
_AT = re.compile(r" - at `\$([^`]*)`")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[[^\]]*\]")
_TOML_WORDS = {"array": "list", "object": "table", "str": "text", "int": "whole number", "float": "number"}


class PolicyError(UserError, ValueError):
    """An unusable policy. The message is one sentence: `file: key: what was expected`."""

    def __init__(self, file: str, key: str, expected: str) -> None:
        self.file, self.key = file, key
        sentence = f"{file}: {key}: {expected}" if key else f"{file}: {expected}"
        super().__init__(sentence.replace("\n", " "))


class PolicyFile(Section, frozen=True):
    """The whole file. Plain tables here have free names; `read` decodes their entries."""

    version: Name
    timezone: TimeZone
    effective_from: Instant | None = None
    calendars: Mapping[str, Any] = {}
    clocks: Clocks = Clocks()
    sla: tuple[SlaSection, ...] = ()
    calls: Calls = Calls()
    csat: Csat = Csat()
    windows: Windows = Windows()
    callbacks: Callbacks = Callbacks()
    agents: Agents = Agents()
    quality: Quality = Quality()
    goals: Mapping[str, Any] = {}
    rules: tuple[Rule, ...] = ()
    risk_index: RiskIndex = RiskIndex()
    escalation: tuple[Escalation, ...] = ()
    receivers: Mapping[str, Any] = {}
    rotas: Mapping[str, Any] = {}
    experts: Mapping[str, Any] = {}
    scorecard: Scorecard = Scorecard()


class PolicyTables(msgspec.Struct, frozen=True):
    """A file's sections, all decoded."""

    file: PolicyFile
    calendars: dict[str, Calendar]
    goals: dict[str, Goal]
    receivers: dict[str, Receiver]
    rotas: dict[str, Rota]
    experts: dict[str, Pool]


def read(text: str, name: str) -> PolicyTables:
    """Return the checked sections of the TOML `text`; `name` is the file's name in messages. Raises PolicyError."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(name, "", f"expected TOML, but: {error}") from None
    for key, number in _not_finite(data):
        raise PolicyError(name, key, f"expected a finite number, found {number}")
    file = _convert(data, PolicyFile, name)
    calendars = {
        key: _calendar(_convert(value, CalendarSection, name, f"calendars.{key}"), name, key, file.timezone)
        for key, value in file.calendars.items()
    }
    goals = {key: _convert(value, Goal, name, f"goals.{key}") for key, value in file.goals.items()}
    receivers = {key: _convert(value, Receiver, name, f"receivers.{key}") for key, value in file.receivers.items()}
    rotas = {key: _convert(value, Rota, name, f"rotas.{key}") for key, value in file.rotas.items()}
    experts = {key: _convert(value, Pool, name, f"experts.{key}") for key, value in file.experts.items()}
    tables = PolicyTables(file, calendars, goals, receivers, rotas, experts)
    for key, expected in _faults(tables):
        raise PolicyError(name, key, expected)
    return tables


def _not_finite(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    """The keys and values of nan and inf, which TOML allows and every comparison lets through."""
    if isinstance(value, float) and not math.isfinite(value):
        yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _not_finite(each, _join(path, key))
    elif isinstance(value, list):
        for i, each in enumerate(value):
            yield from _not_finite(each, f"{path}[{i}]")


def _convert(value: object, kind: type[_T], name: str, key: str = "") -> _T:
    try:
        return msgspec.convert(value, kind, dec_hook=decode)
    except msgspec.ValidationError as error:
        path = "".join(reversed(_AT.findall(str(error)))).lstrip(".")
        fault = _AT.sub("", str(error))
        where, expected = _explain(fault, path, inspect.type_info(kind))
        raise PolicyError(name, ".".join(filter(None, (key, where))), expected) from None


def _explain(fault: str, path: str, kind: inspect.Type) -> tuple[str, str]:
    """Turn msgspec's message (0.22, "Object contains unknown field `x`") into the key and what was expected."""
    at = _walk(kind, path)
    if found := re.fullmatch(r"Object contains unknown field `(.*)`", fault):
        return _join(path, found[1]), f"expected one of the keys {', '.join(_keys(at))}; this one is unknown"
    if found := re.fullmatch(r"Object missing required field `(.*)`", fault):
        return _join(path, found[1]), "expected a value, but the key is missing"
    if found := re.fullmatch(r"Invalid enum value '(.*)'", fault):
        return path, f'expected one of {", ".join(_choices(at))}; found "{found[1]}"'
    words = re.sub(r"`([^`]*)`", lambda match: _toml_words(match[1]), fault)
    return path, (words[0].lower() + words[1:]).replace(", got ", ", found ")


def _toml_words(kind: str) -> str:
    return " or ".join(_TOML_WORDS.get(word, word) for word in kind.split(" | ") if word != "null")


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _walk(kind: inspect.Type, path: str) -> list[inspect.Type]:
    """The types that the value at `path` may have."""
    kinds = _alternatives(kind)
    for step in _STEP.finditer(path):
        following: list[inspect.Type] = []
        for each in kinds:
            if isinstance(each, inspect.StructType):
                following += [field.type for field in each.fields if field.encode_name == step[1]]
            elif isinstance(each, inspect.CollectionType):
                following.append(each.item_type)
        kinds = [alternative for each in following for alternative in _alternatives(each)]
    return kinds


def _alternatives(kind: inspect.Type) -> list[inspect.Type]:
    if isinstance(kind, inspect.UnionType):
        return [alternative for each in kind.types for alternative in _alternatives(each)]
    if isinstance(kind, inspect.CustomType) and kind.cls is Targets:
        return [inspect.type_info(ByPriority)]
    return [kind]


def _keys(kinds: list[inspect.Type]) -> list[str]:
    return [field.encode_name for kind in kinds if isinstance(kind, inspect.StructType) for field in kind.fields]


def _choices(kinds: list[inspect.Type]) -> list[str]:
    values = [str(value) for kind in kinds if isinstance(kind, inspect.LiteralType) for value in kind.values]
    return values + ["a table" for kind in kinds if isinstance(kind, inspect.StructType)]


def _calendar(section: CalendarSection, name: str, key: str, timezone: str) -> Calendar:
    zone, where = section.timezone or timezone, f"calendars.{key}"
    holidays, extra = section.holidays or (), section.extra_working_days or ()
    if section.hours == "24x7":
        for given in ("holidays", "extra_working_days"):
            if getattr(section, given):
                raise PolicyError(name, f"{where}.{given}", "expected opening hours by weekday beside it, found 24x7")
        return Calendar.always(zone)
    for field, dates in (
        ("holidays", (holidays, ())),
        ("extra_working_days", ((), extra)),
        ("holidays", (holidays, extra)),
    ):
        try:
            DaysOff(*dates)
        except ValueError as error:
            raise PolicyError(name, f"{where}.{field}", str(error)) from None
    try:
        return Calendar.weekly(msgspec.to_builtins(section.hours, enc_hook=str), zone, holidays, extra)
    except ValueError as error:
        raise PolicyError(name, f"{where}.hours", str(error)) from None


def _faults(tables: PolicyTables) -> Iterator[tuple[str, str]]:
    """Yield (key, what was expected) for faults that the types do not detect."""
    yield from _sla_faults(tables)
    yield from _number_faults(tables.file)
    for i, rule in enumerate(tables.file.rules):
        for key, expected in rule_faults(rule, tables.file.windows.rolling_ms):
            yield f"rules[{i}].{key}", expected
        if rule.hours is not None and rule.hours not in tables.calendars:
            yield f"rules[{i}].hours", _calendar_expected(rule.hours, tables)
        if any((rule.rule, rule.by) == (other.rule, other.by) for other in tables.file.rules[:i]):
            yield f"rules[{i}].rule", f"expected each rule once for each subject, found {rule.rule} by {rule.by} again"
    for name, receiver in tables.receivers.items():
        if receiver.hours is not None and receiver.hours not in tables.calendars:
            yield f"receivers.{name}.hours", _calendar_expected(receiver.hours, tables)
    yield from people_faults(tables.file.escalation, tables.receivers, tables.rotas, tables.experts)


def _sla_faults(tables: PolicyTables) -> Iterator[tuple[str, str]]:
    names: set[str] = set()
    for i, sla in enumerate(tables.file.sla):
        if sla.name in names:
            yield f"sla[{i}].name", f'expected each name once, found "{sla.name}" again'
        names.add(sla.name)
        if sla.calendar not in tables.calendars:
            yield f"sla[{i}].calendar", _calendar_expected(sla.calendar, tables)
            return
        if sla.warn_at_ppm == 0:
            yield f"sla[{i}].warn_at", "expected a share above 0 and up to 1, found 0"
        if not tables.calendars[sla.calendar].round_the_clock:
            for key, duration in _durations(sla):
                if duration.unit == "d":
                    yield (
                        f"sla[{i}].{key}",
                        (
                            f'expected hours, wd or cd, found "{duration}": days are plain only in a 24x7 calendar, '
                            f'and "{sla.calendar}" is not one'
                        ),
                    )


def _durations(sla: SlaSection) -> Iterator[tuple[str, Duration]]:
    for metric in METRICS:
        for priority, duration in (getattr(sla, metric) or {}).items():
            yield _join(metric, priority) if priority else metric, duration
    if sla.silence is not None:
        yield "silence", sla.silence


def _calendar_expected(found: str, tables: PolicyTables) -> str:
    return f'expected one of the calendars {", ".join(tables.calendars) or "(none is defined)"}; found "{found}"'


def _number_faults(file: PolicyFile) -> Iterator[tuple[str, str]]:
    csat, rolling, risk, card = file.csat, file.windows.rolling_ms, file.risk_index, file.scorecard
    if csat.negative_to_ppm >= csat.positive_from_ppm:
        yield "csat.negative_to", "expected less than positive_from"
    if csat.very_positive_from_ppm < csat.positive_from_ppm:
        yield "csat.very_positive_from", "expected at least positive_from"
    for i, window in enumerate(rolling):
        if window == 0 or window % 60_000 or window in rolling[:i]:
            yield f"windows.rolling[{i}]", "expected a whole number of minutes, each window once"
    for name in risk.__struct_fields__:
        signal = getattr(risk, name)
        if isinstance(signal, Signal) and signal.half_life_ms == 0:
            yield f"risk_index.{name}.half_life", "expected more than 0"
    if risk.clear_at >= risk.raise_at:
        yield "risk_index.clear_at", f"expected less than raise_at ({risk.raise_at:g}), found {risk.clear_at:g}"
    if abs(card.csat + card.resolution + card.response + card.proactive - 1) > 1e-9:
        yield "scorecard", "expected weights whose sum is 1"
