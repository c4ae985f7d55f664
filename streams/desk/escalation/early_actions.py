"""Actions on warnings not known yet: topics are read in parallel, so an action may arrive first. Pure."""

from collections.abc import Iterator

import msgspec

MAX_EARLY_ACTIONS = 10_000
"""Maximum number of warnings for which actions are kept; beyond it, the oldest are dropped."""


class EarlyActions:
    """The actions, as JSON documents, by the id of their warning."""

    prefix = b"e"

    def __init__(self) -> None:
        self._actions: dict[str, list[bytes]] = {}
        self._changed: set[str] = set()

    def add(self, warning_id: str, action: bytes) -> None:
        """Keep an action; a duplicate is ignored."""
        known = self._actions.setdefault(warning_id, [])
        if action not in known:
            known.append(action)
        self._changed.add(warning_id)
        if len(self._actions) > MAX_EARLY_ACTIONS:
            oldest = next(iter(self._actions))
            del self._actions[oldest]
            self._changed.add(oldest)

    def take(self, warning_id: str) -> list[bytes]:
        """Remove and return the actions on a warning."""
        actions = self._actions.pop(warning_id, None)
        if actions is None:
            return []
        self._changed.add(warning_id)
        return actions

    def unsaved(self) -> bool:
        """Whether anything changed since the last checkpoint."""
        return bool(self._changed)

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry of the changelog."""
        warning_id = key[1:].decode()
        self._actions.pop(warning_id, None)
        if value is not None:
            self._actions[warning_id] = msgspec.msgpack.decode(value, type=list[bytes])

    def value(self, key: bytes) -> bytes | None:
        """Return the actions on a warning, encoded; None: there are none."""
        actions = self._actions.get(key[1:].decode())
        return None if actions is None else msgspec.msgpack.encode(actions)

    def changed(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield the entries that changed since the last checkpoint."""
        changed, self._changed = self._changed, set()
        for warning_id in changed:
            key = self.prefix + warning_id.encode()
            yield key, self.value(key)
