"""All subjects of a partition by name (kind and id): a number of them cached_subjects, the others asleep, to hold many at once.

cached_subjects      events, state            ~6 KB
  │ cut: too many are cached_subjects, and this one waits longest for its next instant
  v
asleep     events, packed           ~0.7 KB
  │ an event of it, or it falls due
  v
cached_subjects      folded again, as at a restore: nothing is written, so nobody can tell whether one slept
"""

from collections.abc import Callable, Collection, Iterator

import lz4.block
import msgspec

from streams.desk.track.subject import Subject
from streams.models.instants import NEVER

CACHED_SUBJECTS = 12_000  # subjects cached_subjects in all partitions together, unless a setting says otherwise
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[int] | None, list[bytes], bytes]).decode


class SubjectCache:
    """The subjects of a partition. `revive` folds one again from its events; `limit`: so many stay cached_subjects at a cut."""

    def __init__(self, revive: Callable[[Subject], None], limit: int = CACHED_SUBJECTS) -> None:
        self.limit = limit
        self._revive = revive
        self._awake: dict[str, Subject] = {}
        self._asleep: dict[str, bytes] = {}
        self._sample = b""  # events of the first one that slept: what others repeat of them is not kept again

    def get(self, name: str) -> Subject | None:
        """The subject of that name, cached_subjects, if it is held."""
        subject = self._awake.get(name)
        if subject is None and name in self._asleep:
            return self._wake(name)
        return subject

    def __setitem__(self, name: str, subject: Subject) -> None:
        self._awake[name] = subject

    def __delitem__(self, name: str) -> None:
        """Forget one that is cached_subjects."""
        del self._awake[name]

    def __contains__(self, name: str) -> bool:
        return name in self._awake or name in self._asleep

    def __len__(self) -> int:
        return len(self._awake) + len(self._asleep)

    def __iter__(self) -> Iterator[str]:
        """All names; meanwhile some may be woken."""
        return iter([*self._awake, *self._asleep])

    def all(self) -> Iterator[Subject]:
        """All of them; wakes everybody."""
        return (subject for name in self if (subject := self.get(name)) is not None)

    def asleep(self) -> int:
        """How many sleep."""
        return len(self._asleep)

    def due(self, name: str, at: int) -> Subject | None:
        """The subject, if it still waits for this instant: one that changed meanwhile waits for another."""
        packed = self._asleep.get(name)
        if packed is not None:
            return self._wake(name) if packed[:8] == at.to_bytes(8) else None
        subject = self._awake.get(name)
        return subject if subject is not None and subject.queued_at == at else None

    def rest(self, touched: Collection[Subject]) -> None:
        """A cut was made of what was `touched` since the last one: of the others, let those sleep that wait longest.

        An eighth of `limit` at once, so that they need not be sorted at every cut.
        """
        if len(self._awake) <= self.limit:
            return
        idle = sorted((subject for subject in self._awake.values() if subject not in touched), key=_waits_until)
        for subject in idle[-(len(self._awake) - self.limit * 7 // 8) :]:
            self._sample = self._sample or b"".join(subject.raws)
            self._asleep[subject.name] = _pack(self._awake.pop(subject.name), self._sample)

    def _wake(self, name: str) -> Subject:
        subject = self._awake[name] = _unpack(name, self._asleep.pop(name), self._sample)
        self._revive(subject)
        return subject


def _waits_until(subject: Subject) -> int:
    return NEVER if subject.queued_at is None else subject.queued_at


def _pack(subject: Subject, sample: bytes) -> bytes:
    """What no fold makes again: the instant that it waits for, readable as it is, its events, what was told of it."""
    packed: bytes = lz4.block.compress(_encode((subject.numbers, subject.raws, subject.told)), dict=sample)
    return _waits_until(subject).to_bytes(8) + packed


def _unpack(name: str, packed: bytes, sample: bytes) -> Subject:
    subject = Subject(name)
    at = int.from_bytes(packed[:8])
    subject.queued_at = None if at == NEVER else at
    subject.numbers, subject.raws, subject.told = _decode(lz4.block.decompress(packed[8:], dict=sample))
    return subject
