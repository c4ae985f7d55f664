"""Events without a subject of their own: scored sentiments, links between customers, announced policy changes.

They change no ticket and no call. Track keeps them as received, and passes them on to the stage `customers`. A
duplicate changes nothing. If two events share an identity but differ, the earlier (by time, then bytes) wins.
"""

from collections.abc import Callable, Iterator

from streams.desk.saved import SavedDict
from streams.desk.track.repetition import Count, Repetition, repetition
from streams.desk.track.subject import CALL, TICKET, event_of
from streams.models.customer_facts import CustomerLink, PolicyChange, Signal
from streams.models.envelope import Event
from streams.models.instants import parse_instant
from streams.models.signals import CustomerLinked, PolicyAnnounced, SentimentScored
from streams.models.tallies import AnnouncementRow

REFERENCE = b"n"  # first byte of a changelog key
KINDS = (SentimentScored, CustomerLinked, PolicyAnnounced)
SENTIMENT = "negative_sentiment"


class ReferenceEvents:
    """The reference events of a partition.

    Attributes:
        events: their saved part: raw JSON, as received.
        sentiment_scores: changelog keys of the scores, by the name of their ticket or call (`t17`); see `_target`.
        touched: names whose scores changed since the last snapshot.
        fresh: links and policy changes that are new since the last snapshot.
        on_release: called with a name before its scores are forgotten.
    """

    def __init__(self) -> None:
        self.sentiment_scores: dict[str, dict[bytes, SentimentScored]] = {}
        self.touched: set[str] = set()
        self.fresh: list[CustomerLink | PolicyChange] = []
        self.on_release: Callable[[str], None] = lambda name: None
        self.events = SavedDict(REFERENCE)
        self._links: dict[str, CustomerLink] = {}
        self._changes: dict[str, PolicyChange] = {}

    def add(self, event: Event, raw: bytes, oldest: int, count: Count) -> bool:
        """Keep an event; False: it is a score from before `oldest`, which is too late and changes nothing."""
        key = REFERENCE + f"{event.key() or ''}\0{event.source}\0{event.id}".encode()  # unique within the event's key
        stored = self.events.known.get(key)
        if stored is not None:
            known = event_of(stored)
            changes = repetition(event, raw, known, stored, count)
            if changes is Repetition.NOTHING:
                return True
            self._drop_score(key, known)
        elif isinstance(event, SentimentScored) and event.at < oldest:
            return False
        self.events.put(key, raw)
        self._index(key, event)
        name = key[1:].decode()
        self.fresh += [row for row in (self._links.get(name), self._changes.get(name)) if row is not None]
        return True

    def announcements(self) -> list[AnnouncementRow]:
        """The fresh policy changes, for the window rules."""
        changes = [row for row in self.fresh if isinstance(row, PolicyChange)]
        return [_announcement(row, event_of(self.events.known[REFERENCE + row.key.encode()])) for row in changes]

    def signals(self, name: str) -> Iterator[tuple[SentimentScored, Signal]]:
        """The negative scores under a name."""
        for score in self.sentiment_scores.get(name, {}).values():
            if score.data.score < 0:
                yield score, (SENTIMENT, score.at, -score.data.score)

    def release(self, oldest: int, is_held: Callable[[str], bool]) -> None:
        """Forget scores from before `oldest` whose ticket or call is no longer held."""
        for name, scores in list(self.sentiment_scores.items()):
            if not is_held(name) and all(score.at < oldest for score in scores.values()):
                self.on_release(name)
                for key in scores:
                    self.events.remove(key)
                del self.sentiment_scores[name]

    def restored(self) -> None:
        """All entries are loaded: build the index. Nothing is fresh: all was passed on before the restart."""
        for key, raw in self.events.known.items():
            self._index(key, event_of(raw))
        self.touched.clear()

    def _index(self, key: bytes, event: Event) -> None:
        name = key[1:].decode()
        if isinstance(event, SentimentScored):
            target = _target(event)
            self.sentiment_scores.setdefault(target, {})[key] = event
            self.touched.add(target)
        elif isinstance(event, CustomerLinked):
            self._links[name] = CustomerLink(name, event.data.customer_id, event.data.other_id)
        elif isinstance(event, PolicyAnnounced):
            data = event.data
            announced_at, effective_at = parse_instant(data.announced_at), parse_instant(data.effective_at)
            tags = sorted(set(data.tags or ()))
            self._changes[name] = PolicyChange(
                name, data.change_id, data.title or "", tags, announced_at, effective_at, event.at
            )

    def _drop_score(self, key: bytes, event: Event) -> None:
        if isinstance(event, SentimentScored):
            target = _target(event)
            self.sentiment_scores[target].pop(key)
            self.touched.add(target)


def _announcement(row: PolicyChange, event: Event) -> AnnouncementRow:
    return AnnouncementRow(
        event.source, event.id, row.change_id, event.at, row.announced_at, row.effective_at, row.title, row.tags
    )


def _target(event: SentimentScored) -> str:
    """The name of the ticket or call that a score is about; if neither, `n` and the score's identity."""
    data = event.data
    if data.ticket_id:
        return TICKET + data.ticket_id
    if data.call_id:
        return CALL + data.call_id
    return f"n{event.source}\0{event.id}"
