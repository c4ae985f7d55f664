"""What a receiver reads: a warning explained (rule, who, by how much, since when, what clears it), or a digest."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from streams.desk.calendars.opening_hours import EPOCH, MILLISECOND
from streams.desk.escalation.received_warning import Warned
from streams.desk.texts import Language, known, text

LISTED = 50  # warnings that a digest names; the others are counted
MEASURES = ("value", "lower", "upper", "n", "raise_at", "clear_at")  # in the order in which they are told


class Words(NamedTuple):
    """In which language, in which zone, and the board to link to ("": none)."""

    language: Language
    timezone: str
    board_url: str

    def say(self, key: str, **values: object) -> str:
        """The words of a key."""
        return text(key, self.language, **values)

    def instant(self, at: int) -> str:
        """An instant (ms) in the desk's zone."""
        return (EPOCH + at * MILLISECOND).astimezone(ZoneInfo(self.timezone)).strftime("%Y-%m-%d %H:%M:%S")

    def duration(self, ms: int) -> str:
        """A length of time, e.g. 1 h 05 min."""
        seconds = ms // 1000
        if seconds < 60:
            return self.say("notice_s", s=seconds)
        minutes = seconds // 60
        if minutes < 60:
            return self.say("notice_min", min=minutes)
        return self.say("notice_h", h=minutes // 60, min=f"{minutes % 60:02d}")


def notice(warned: Warned, message_id: str, words: Words, folds: int = 0) -> tuple[str, str]:
    """Return title and body of the message about one warning, which stands for `folds` more of its family."""
    say = words.say
    title = f"[{say(f'severity_{warned.severity}')}] {say(warned.rule)}: {who(warned, words)}"
    lines = [
        say("notice_rule", rule=say(warned.rule), name=warned.rule),
        say("notice_who", who=who(warned, words)),
        *_by_how_much(warned, words),
        say("notice_since", at=words.instant(warned.raised_at)),
    ]
    if warned.parent_id:
        lines.append(say("notice_parent", parent=warned.parent_id))
    if folds:
        lines.append(say("notice_folds", n=folds))
    if warned.due_at is not None:
        lines.append(say("notice_due", at=words.instant(warned.due_at)))
    lines += [_reason(name, points, how, words) for name, points, how in warned.reasons]
    if warned.cause:
        lines.append(say("notice_cause", cause=warned.cause))
    lines.append(say("notice_clears", how=_clears(warned, words)))
    if warned.url:
        lines.append(say("notice_ticket", url=warned.url))
    if words.board_url:
        lines.append(say("notice_board", url=f"{words.board_url.rstrip('/')}/warnings/{warned.warning_id}"))
    lines.append(say("notice_id", id=message_id))
    return title, "\n".join(lines)


def digest(told: Sequence[tuple[Warned, str]], name: str, words: Words) -> tuple[str, str]:
    """Return title and body of one message about many warnings: (warning, message id) each."""
    say = words.say
    counts = Counter((warned.severity, warned.rule) for warned, _ in told)
    lines = [
        say("digest_count", n=n, severity=say(f"severity_{severity}"), rule=say(rule))
        for (severity, rule), n in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]
    lines += [
        say("digest_line", rule=say(warned.rule), who=who(warned, words), at=words.instant(warned.raised_at), id=each)
        for warned, each in told[:LISTED]
    ]
    if len(told) > LISTED:
        lines.append(say("digest_more", n=len(told) - LISTED))
    if words.board_url:
        lines.append(say("notice_board", url=f"{words.board_url.rstrip('/')}/warnings"))
    lines.append(say("notice_id", id=name))
    return say("digest_title", n=len(told)), "\n".join(lines)


def who(warned: Warned, words: Words) -> str:
    """Whom or what a warning is about."""
    say = words.say
    if warned.metric and warned.ticket_id:
        found = f"{say('ticket')} {warned.ticket_id}, {say(warned.metric)}"
    elif warned.dimension and warned.value:
        found = f"{say(warned.dimension)} {warned.value}"
    elif warned.customer_id:
        found = f"{say('customer')} {warned.customer_id}"
    elif warned.subject == "all":
        found = say("all")
    else:
        found = warned.subject
    parts = [(key, getattr(warned, key)) for key in ("team", "agent_id") if warned.dimension != key]
    return ", ".join([found, *(f"{say(key)} {value}" for key, value in parts if value)])


def _reason(name: str, points: float, how: str, words: Words) -> str:
    """A signal of the risk index in the receiver's language; the row has it in English."""
    signal = words.say(f"signal_{name}") if known(f"signal_{name}") else name
    lowered = words.say(f"lower_{name}") if known(f"lower_{name}") else how
    return words.say("notice_reason", signal=signal, points=f"{points:g}", how=lowered)


def _by_how_much(warned: Warned, words: Words) -> list[str]:
    if warned.target_ms:
        elapsed, target = words.duration(warned.elapsed_ms), words.duration(warned.target_ms)
        return [words.say("notice_elapsed", elapsed=elapsed, target=target)]
    told = [f"{words.say(f'measure_{name}')} {warned.measures[name]:.4g}" for name in MEASURES if
            name in warned.measures]  # fmt: skip
    return [words.say("notice_measures", measures=", ".join(told))] if told else []


def _clears(warned: Warned, words: Words) -> str:
    if warned.rule in ("sla.at_risk", "sla.breached") and warned.metric:
        return words.say(f"clears_{warned.metric}")
    if known(f"clears_{warned.rule}"):
        return words.say(f"clears_{warned.rule}")
    if "clear_at" in warned.measures:
        return words.say("clears_at", limit=f"{warned.measures['clear_at']:g}")
    return words.say("clears_back")
