"""All subjects of a partition by name (kind and id): some hydrated, the others evicted to save memory.

hydrated     events, state            ~6 KB
  │ after a snapshot: too many are hydrated, and this one has the latest deadline
  v
evicted      events, packed           ~0.7 KB
  │ an event of it, or its deadline
  v
hydrated     refolded, as after a restore: eviction is unobservable, since a refold emits nothing
"""

from collections.abc import Callable, Collection, Iterator
from operator import attrgetter

import lz4.block
import msgspec

from streams.desk.track.subject import Subject

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[int] | None, list[bytes], bytes]).decode


class SubjectCache:
    """The subjects of a partition.

    Arguments:
        refold: folds a subject again from its events.
        limit: maximum number of subjects kept hydrated after a snapshot.
    """

    def __init__(self, refold: Callable[[Subject], None], limit: int) -> None:
        self.limit = limit
        self._refold = refold
        self._hydrated: dict[str, Subject] = {}
        self._evicted: dict[str, bytes] = {}
        self._sample = b""  # events of the first subject evicted: the compression dictionary for all others

    def get(self, name: str) -> Subject | None:
        """The subject of that name, hydrated, if it is held."""
        subject = self._hydrated.get(name)
        if subject is None and name in self._evicted:
            return self._hydrate(name)
        return subject

    def __setitem__(self, name: str, subject: Subject) -> None:
        self._hydrated[name] = subject

    def __delitem__(self, name: str) -> None:
        """Forget a hydrated subject."""
        del self._hydrated[name]

    def __contains__(self, name: str) -> bool:
        return name in self._hydrated or name in self._evicted

    def __len__(self) -> int:
        return len(self._hydrated) + len(self._evicted)

    def __iter__(self) -> Iterator[str]:
        """All names; subjects may be hydrated during the iteration."""
        return iter([*self._hydrated, *self._evicted])

    def all(self) -> Iterator[Subject]:
        """All subjects, each hydrated."""
        return (subject for name in self if (subject := self.get(name)) is not None)

    def evicted(self) -> int:
        """The number of subjects evicted."""
        return len(self._evicted)

    def due(self, name: str, at: int) -> Subject | None:
        """The subject, if this instant is still its deadline: a change since then may have moved it."""
        packed = self._evicted.get(name)
        if packed is not None:
            return self._hydrate(name) if packed[:8] == at.to_bytes(8) else None
        subject = self._hydrated.get(name)
        return subject if subject is not None and subject.queued_at == at else None

    def evict_idle(self, touched: Collection[Subject]) -> None:
        """Evict the subjects with the latest deadlines, except those `touched`, whose rows are still to be written.

        This evicts an eighth of `limit` at a time, so that not every snapshot has to sort.
        """
        if len(self._hydrated) <= self.limit:
            return
        idle = sorted((subject for subject in self._hydrated.values() if subject not in touched), key=_deadline)
        for subject in idle[-(len(self._hydrated) - self.limit * 7 // 8) :]:
            self._sample = self._sample or b"".join(subject.raws)
            self._evicted[subject.name] = _pack(self._hydrated.pop(subject.name), self._sample)

    def _hydrate(self, name: str) -> Subject:
        subject = self._hydrated[name] = _unpack(name, self._evicted.pop(name), self._sample)
        self._refold(subject)
        return subject


_deadline = attrgetter("queued_at")


def _pack(subject: Subject, sample: bytes) -> bytes:
    """The state a refold cannot rebuild: the deadline (uncompressed), the events, the last published facts."""
    packed: bytes = lz4.block.compress(_encode((subject.numbers, subject.raws, subject.last_published)), dict=sample)
    return subject.queued_at.to_bytes(8) + packed


def _unpack(name: str, packed: bytes, sample: bytes) -> Subject:
    subject = Subject(name)
    at = int.from_bytes(packed[:8])
    subject.queued_at = at
    subject.numbers, subject.raws, subject.last_published = _decode(lz4.block.decompress(packed[8:], dict=sample))
    return subject
