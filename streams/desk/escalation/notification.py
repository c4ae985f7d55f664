"""The text of a message: one warning explained (rule, subject, figures, what clears it), or a digest of many. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.desk.calendars.opening_hours import MILLISECOND
from streams.desk.texts import Language, known, text
from streams.models.instants import EPOCH
from streams.models.rows import WarningRow

MAX_LISTED = 50
"""Maximum number of warnings listed in a digest; the others are counted."""

MEASURES = ("value", "lower", "upper", "n", "raise_at", "clear_at")
"""The measures of a warning shown in a message, in this order."""


class Renderer(NamedTuple):
    """Renders texts in a language, and instants in a zone; knows the board to link to ("": none)."""

    language: Language
    timezone: str
    board_url: str

    def text(self, key: str, **values: object) -> str:
        """The text of a key, with `values` filled in."""
        return text(key, self.language, **values)

    def instant(self, at: int) -> str:
        """An instant (ms) in the desk's zone."""
        return (EPOCH + at * MILLISECOND).astimezone(ZoneInfo(self.timezone)).strftime("%Y-%m-%d %H:%M:%S")

    def duration(self, ms: int) -> str:
        """A duration, e.g. 1 h 05 min."""
        seconds = ms // 1000
        if seconds < 60:
            return self.text("notification_s", s=seconds)
        minutes = seconds // 60
        if minutes < 60:
            return self.text("notification_min", min=minutes)
        return self.text("notification_h", h=minutes // 60, min=f"{minutes % 60:02d}")


def render_notification(warning: WarningRow, message_id: str, renderer: Renderer, folds: int = 0) -> tuple[str, str]:
    """Return title and body of the message about one warning; `folds` more of its incident are folded into it."""
    render, about = renderer.text, _about(warning, renderer)
    severity = render(f"severity_{warning.severity}")
    title = render("notification_title", severity=severity, rule=render(warning.rule), about=about)
    lines = [
        render("notification_rule", rule=render(warning.rule), name=warning.rule),
        render("notification_about", about=about),
        *_figures(warning, renderer),
        render("notification_since", at=renderer.instant(warning.raised_at)),
    ]
    if warning.parent_id:
        lines.append(render("notification_parent", parent=warning.parent_id))
    if folds:
        lines.append(render("notification_folds", n=folds))
    if warning.due_at is not None:
        lines.append(render("notification_due", at=renderer.instant(warning.due_at)))
    lines += [_reason(name, points, lowered_by, renderer) for name, points, lowered_by in warning.reasons]
    if warning.cause:
        lines.append(render("notification_cause", cause=warning.cause))
    lines.append(render("notification_clears", how=_clears(warning, renderer)))
    if warning.url:
        lines.append(render("notification_ticket", url=warning.url))
    if renderer.board_url:
        url = f"{renderer.board_url.rstrip('/')}/warnings/{warning.warning_id}"
        lines.append(render("notification_board", url=url))
    lines.append(render("notification_id", id=message_id))
    return title, "\n".join(lines)


def render_digest(entries: Sequence[tuple[WarningRow, str]], digest: str, renderer: Renderer) -> tuple[str, str]:
    """Return title and body of one message about many warnings: (warning, message id) each. `digest`: its id."""
    render = renderer.text
    counts = Counter((warning.severity, warning.rule) for warning, _ in entries)
    lines = [
        render("digest_count", n=n, severity=render(f"severity_{severity}"), rule=render(rule))
        for (severity, rule), n in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]
    for warning, message_id in entries[:MAX_LISTED]:
        rule, about = render(warning.rule), _about(warning, renderer)
        lines.append(
            render("digest_line", rule=rule, about=about, at=renderer.instant(warning.raised_at), id=message_id)
        )
    if len(entries) > MAX_LISTED:
        lines.append(render("digest_more", n=len(entries) - MAX_LISTED))
    if renderer.board_url:
        lines.append(render("notification_board", url=f"{renderer.board_url.rstrip('/')}/warnings"))
    lines.append(render("notification_id", id=digest))
    return render("digest_title", n=len(entries)), "\n".join(lines)


def _about(warning: WarningRow, renderer: Renderer) -> str:
    """The subject of a warning, in words."""
    render = renderer.text
    if warning.metric and warning.ticket_id:
        found = f"{render('ticket')} {warning.ticket_id}{render('separator')}{render(warning.metric)}"
    elif warning.dimension and warning.value:
        found = f"{render(warning.dimension)} {warning.value}"
    elif warning.customer_id:
        found = f"{render('customer')} {warning.customer_id}"
    elif warning.subject == "all":
        found = render("all")
    else:
        found = warning.subject
    parts = [(key, getattr(warning, key)) for key in ("team", "agent_id") if warning.dimension != key]
    return render("separator").join([found, *(f"{render(key)} {value}" for key, value in parts if value)])


def _reason(name: str, points: float, lowered_by: str, renderer: Renderer) -> str:
    """A signal of the risk index in the receiver's language; the row has it in English."""
    signal = renderer.text(f"signal_{name}") if known(f"signal_{name}") else name
    how = renderer.text(f"lower_{name}") if known(f"lower_{name}") else lowered_by
    return renderer.text("notification_reason", signal=signal, points=f"{points:g}", how=how)


def _figures(warning: WarningRow, renderer: Renderer) -> list[str]:
    """The figures of the warning against its limit."""
    render, measures = renderer.text, warning.measures
    if warning.target_ms:
        elapsed, target = renderer.duration(warning.elapsed_ms), renderer.duration(warning.target_ms)
        return [render("notification_elapsed", elapsed=elapsed, target=target)]
    figures = [f"{render(f'measure_{name}')} {measures[name]:.4g}" for name in MEASURES if name in measures]
    return [render("notification_measures", measures=render("separator").join(figures))] if figures else []


def _clears(warning: WarningRow, renderer: Renderer) -> str:
    """The condition that clears the warning."""
    if warning.rule in ("sla.at_risk", "sla.breached") and warning.metric:
        return renderer.text(f"clears_{warning.metric}")
    if known(f"clears_{warning.rule}"):
        return renderer.text(f"clears_{warning.rule}")
    if "clear_at" in warning.measures:
        return renderer.text("clears_at", limit=f"{warning.measures['clear_at']:g}")
    return renderer.text("clears_back")
