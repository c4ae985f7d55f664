"""The figures of the demo as text: a board for a terminal, or a single line."""

from collections.abc import Iterable
from functools import partial

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from streams.demo.figures import Figures, Rate, Satisfaction
from streams.desk.texts import Language, text

NONE = "–"


def duration(seconds: float) -> str:
    """Seconds in readable form: `42 s`, `7 min`, `3 h 05`, `2 d 04 h`; the past has a minus."""
    sign, left = ("-", -seconds) if seconds < 0 else ("", seconds)
    if left < 60:
        return f"{sign}{left:.0f} s"
    minutes = int(left // 60)
    if minutes < 60:
        return f"{sign}{minutes} min"
    hours = minutes // 60
    return f"{sign}{hours} h {minutes % 60:02}" if hours < 24 else f"{sign}{hours // 24} d {hours % 24:02} h"


def percent(rate: float) -> str:
    """A rate with one decimal."""
    return f"{rate * 100:.1f} %"


def board(figures: Figures, per_s: float, notes: Iterable[str], language: Language) -> RenderableType:
    """All figures at a glance; `per_s`: events per second; `notes`: lines below."""
    say = partial(text, language=language)
    head = Text.assemble(
        (say("title"), "bold"),
        f"   {figures.events:,} {say('stored')}   {per_s:,.1f} {say('events_per_s')}",
        "" if figures.behind_s is None else f"   {duration(max(0.0, figures.behind_s))} {say('behind')}",
    )
    csat = Text(f"{say('csat')}   {_satisfaction(figures.csat, language)}")
    tables = [
        _backlog(figures, language),
        _due(figures, language),
        _rates("breach_rate", "team", figures.breach, language),
        _rates("service_level", "queue", figures.service, language),
    ]
    return Panel(Group(head, "", Columns(tables, padding=(0, 3)), "", csat, *(Text(note) for note in notes)))


def line(figures: Figures, per_s: float, language: Language) -> str:
    """The figures in one line, summed over teams and queues."""
    say = partial(text, language=language)
    each = [(row.open, row.at_risk, row.breached) for row in figures.backlog]
    opened, at_risk, breached = (sum(column) for column in zip(*each, strict=True)) if each else (0, 0, 0)
    due = figures.due[0] if figures.due else None
    parts = [
        f"{say('backlog')} {opened} ({say('at_risk')} {at_risk}, {say('breached')} {breached})",
        f"{say('due_next')} {NONE if due is None else f'{due.ticket_id} {duration(due.left_s)}'}",
        f"{say('breach_rate')} {_overall(figures.breach)}",
        f"{say('service_level')} {_overall(figures.service)}",
        f"{say('csat')} {_satisfaction(figures.csat, language)}",
        f"{per_s:,.1f} {say('events_per_s')}",
        f"{figures.events:,} {say('stored')}",
    ]
    if figures.behind_s is not None:
        parts.append(f"{duration(max(0.0, figures.behind_s))} {say('behind')}")
    return " | ".join(parts)


def _overall(rates: list[Rate]) -> str:
    n = sum(each.n for each in rates)
    return f"{percent(sum(each.rate * each.n for each in rates) / n)} (n {n})" if n else NONE


def _satisfaction(csat: Satisfaction | None, language: Language) -> str:
    if csat is None:
        return NONE
    bounds = f"{csat.low * 100:.1f}–{csat.high * 100:.1f} %"
    return f"{percent(csat.rate)} ({text('interval', language)} {bounds}, n {csat.n})"


def _table(title: str, headings: Iterable[str], numbers: int, language: Language) -> Table:
    """A table whose first columns are texts, and the last `numbers` ones numbers."""
    keys = list(headings)
    shown = Table(title=text(title, language), title_justify="left", box=None, pad_edge=False, title_style="bold")
    for i, key in enumerate(keys):
        justify = "right" if i >= len(keys) - numbers else "left"
        shown.add_column(text(key, language), justify=justify, no_wrap=True, header_style="dim")  # type: ignore[arg-type]
    return shown


def _backlog(figures: Figures, language: Language) -> Table:
    shown = _table("backlog", ("team", "open", "at_risk", "breached", "age"), 4, language)
    for row in figures.backlog:
        shown.add_row(
            row.team or NONE,
            str(row.open),
            Text(str(row.at_risk), style="yellow" if row.at_risk else ""),
            Text(str(row.breached), style="red" if row.breached else ""),
            duration(row.oldest_s),
        )
    return shown


def _due(figures: Figures, language: Language) -> Table:
    shown = _table("due_next", ("ticket", "metric", "team", "left"), 1, language)
    for row in figures.due:
        shown.add_row(row.ticket_id, text(row.metric, language), row.team or NONE, duration(row.left_s))
    return shown


def _rates(title: str, name: str, rates: list[Rate], language: Language) -> Table:
    shown = _table(title, (name, "rate", "n"), 2, language)
    for each in rates:
        shown.add_row(each.name or NONE, percent(each.rate), str(each.n))
    return shown
