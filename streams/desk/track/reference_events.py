"""Events that stand for themselves: scored sentiment_scores, links between customers, announced policy changes.

They change no ticket and no call; the desk keeps them as they came and tells the stage `customers` of them. The same
event twice changes nothing; of one identity with two contents the earlier (time, then bytes) stands.
"""

from collections.abc import Callable, Iterator, MutableMapping

from streams.desk.track.subject import CALL, TICKET, event_of
from streams.models.customer_facts import CustomerLink, PolicyChange, Signal
from streams.models.envelope import Event
from streams.models.instants import parse_instant
from streams.models.signals import CustomerLinked, PolicyAnnounced, SentimentScored
from streams.models.tallies import AnnouncementRow

NOTE = b"n"  # first byte of a changelog key
KINDS = (SentimentScored, CustomerLinked, PolicyAnnounced)
SENTIMENT = "negative_sentiment"

Count = Callable[[str, int], None]


class ReferenceEvents:
    """The notes of a partition. `entries` are the changelog entries to be written at the next checkpoint."""

    def __init__(self, entries: Callable[[], MutableMapping[bytes, bytes | None]]) -> None:
        self._entries = entries
        self.known: dict[bytes, bytes] = {}  # by changelog key, the events as they came
        self.sentiment_scores: dict[str, dict[bytes, SentimentScored]] = {}  # by whom they are about (`t17`)
        self.links: dict[str, CustomerLink] = {}
        self.changes: dict[str, PolicyChange] = {}
        self.touched: set[str] = set()  # whose sentiment_scores changed
        self.releasing: Callable[[str], None] = lambda name: (
            None
        )  # told before the sentiment_scores about one are forgotten
        self.fresh: list[CustomerLink | PolicyChange] = []  # to be told

    def take(self, event: Event, raw: bytes, oldest: int, count: Count) -> None:
        """Keep an event. A score from before `oldest` came too late: it changes nothing."""
        key = NOTE + f"{event.key() or ''}\0{event.source}\0{event.id}".encode()  # an identity within its subject
        stands = self.known.get(key)
        if stands is not None:
            known = event_of(stands)
            if stands == raw or known == event:
                count("duplicates", 1)
                return
            count("conflicts", 1)
            if (event.at, raw) >= (known.at, stands):
                return
            self._drop(key, known)
        elif isinstance(event, SentimentScored) and event.at < oldest:
            count("released", 1)
            return
        self.known[key] = self._entries()[key] = raw
        self._index(key, event)
        name = key[1:].decode()
        self.fresh += [row for row in (self.links.get(name), self.changes.get(name)) if row is not None]

    def announcements(self) -> list[AnnouncementRow]:
        """The fresh announcements, for role watch."""
        changes = [row for row in self.fresh if isinstance(row, PolicyChange)]
        return [_announcement(row, event_of(self.known[NOTE + row.key.encode()])) for row in changes]

    def signals(self, name: str) -> Iterator[tuple[SentimentScored, Signal]]:
        """The negative scores about a ticket, a call, or nobody but a customer."""
        for mood in self.sentiment_scores.get(name, {}).values():
            if mood.data.score < 0:
                yield mood, (SENTIMENT, mood.at, -mood.data.score)

    def release(self, oldest: int, held: Callable[[str], bool]) -> None:
        """Forget scores from before `oldest` about what is not `held` any more."""
        for name, sentiment_scores in list(self.sentiment_scores.items()):
            if not held(name) and all(mood.at < oldest for mood in sentiment_scores.values()):
                self.releasing(name)
                for key in sentiment_scores:
                    del self.known[key]
                    self._entries()[key] = None
                del self.sentiment_scores[name]

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take one from a checkpoint."""
        if value is None:
            self.known.pop(key, None)
        else:
            self.known[key] = value

    def restored(self) -> None:
        """All are in: nothing is to be told, for it was before."""
        for key, raw in self.known.items():
            self._index(key, event_of(raw))
        self.touched.clear()

    def _index(self, key: bytes, event: Event) -> None:
        name = key[1:].decode()
        if isinstance(event, SentimentScored):
            about = _about(event)
            self.sentiment_scores.setdefault(about, {})[key] = event
            self.touched.add(about)
        elif isinstance(event, CustomerLinked):
            self.links[name] = CustomerLink(name, event.data.customer_id, event.data.other_id)
        elif isinstance(event, PolicyAnnounced):
            data = event.data
            announced_at, effective_at = parse_instant(data.announced_at), parse_instant(data.effective_at)
            tags = sorted(set(data.tags or ()))
            self.changes[name] = PolicyChange(
                name, data.change_id, data.title or "", tags, announced_at, effective_at, event.at
            )

    def _drop(self, key: bytes, event: Event) -> None:
        if isinstance(event, SentimentScored):
            about = _about(event)
            self.sentiment_scores[about].pop(key)
            self.touched.add(about)


def _announcement(row: PolicyChange, event: Event) -> AnnouncementRow:
    return AnnouncementRow(
        event.source, event.id, row.change_id, event.at, row.announced_at, row.effective_at, row.title, row.tags
    )


def _about(event: SentimentScored) -> str:
    """Whom a score is about: a ticket or a call, as kind and id; else nobody but its customer: `n` and its identity."""
    data = event.data
    if data.ticket_id:
        return TICKET + data.ticket_id
    if data.call_id:
        return CALL + data.call_id
    return f"n{event.source}\0{event.id}"
