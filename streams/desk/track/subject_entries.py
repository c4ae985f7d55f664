"""The events of all subjects in the changelog, one entry each; a restore refolds the subjects from them."""

from collections.abc import Callable, Iterable

from streams.desk.saved import Entry
from streams.desk.track.subject import Subject, SubjectKind

Numbered = dict[int, bytes]  # events of a subject, by number


class SubjectEntries:
    """See :class:`streams.desk.saved.Saved`. `get`: returns the subject of a name, if held."""

    prefix = "".join(SubjectKind).encode()

    def __init__(self, get: Callable[[str], Subject | None]) -> None:
        self._get = get
        self.pending: dict[bytes, bytes | None] = {}
        self.pending_bytes = 0
        self._loaded: dict[str, Numbered] = {}

    def keep(self, subject: Subject, n: int, raw: bytes) -> None:
        """Write event `n` of a subject."""
        self.pending[subject.key(n)] = raw
        self.pending_bytes += len(raw) + 64

    def remove(self, subject: Subject, numbers: Iterable[int]) -> None:
        """Remove events of a subject, by index."""
        for n in numbers:
            self.pending[subject.key(n)] = None

    def remove_numbers(self, name: str, numbers: Iterable[int]) -> None:
        """Remove events of a name, by number in the changelog."""
        for number in numbers:
            self.pending[f"{name}\0{number}".encode()] = None

    def load(self, key: bytes, value: bytes | None) -> None:
        """See :class:`streams.desk.saved.Saved`."""
        name, number = _parse(key)
        events = self._loaded.setdefault(name, {})
        if value is not None:
            events[number] = value
            return
        events.pop(number, None)
        if not events:
            del self._loaded[name]

    def take_loaded(self) -> dict[str, Numbered]:
        """Return all events loaded, by name of the subject and number."""
        loaded, self._loaded = self._loaded, {}
        return loaded

    def value(self, key: bytes) -> bytes | None:
        """See :class:`streams.desk.saved.Saved`."""
        name, number = _parse(key)
        subject = self._get(name)
        return None if subject is None else subject.numbered(number)

    def changed(self) -> Iterable[Entry]:
        """See :class:`streams.desk.saved.Saved`."""
        pending, self.pending, self.pending_bytes = self.pending, {}, 0
        return pending.items()


def _parse(key: bytes) -> tuple[str, int]:
    name, _, number = key.decode().rpartition("\0")
    return name, int(number)
