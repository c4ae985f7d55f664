"""One message for each due step, or a digest for a receiver that would get too many. Pure.

due        .. .  .    ::::::::::::::::::::::::::::::::      burst = 5, digest_every = 2 min
messages   || |  |    D               D               D     D: a digest of all steps due since the last one
                      ^ more than 5 within 2 minutes
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from streams.desk.escalation.chain import FAILED
from streams.desk.escalation.dispatch import Due, Message, message_of
from streams.desk.policy.versions import Policy

DIGEST_LIMIT = 4000
"""Maximum number of steps in one digest: more would not fit in a checkpoint."""


class SendHistory(msgspec.Struct, array_like=True):
    """The recent send times of a receiver (ms), the time of the last digest, and the number of digests."""

    recent: list[int] = []
    digest_at: int | None = None
    digests: int = 0


class Deferred(NamedTuple):
    """A step that waits until an instant for the receiver's next digest."""

    due: Due
    until: int


class DigestThrottle:
    """Limits each receiver to `burst` messages in `digest_every`; further steps go into one digest."""

    prefix = b"f"

    def __init__(self, partition: int, board_url: str) -> None:
        self._partition, self._board_url = partition, board_url
        self._histories: dict[str, SendHistory] = {}  # by receiver
        self._changed: set[str] = set()

    def messages(self, due: Sequence[Due], at: int, policy: Policy) -> tuple[list[Message], list[Deferred]]:
        """Return the messages to send at the instant `at`, and the steps that wait."""
        made: list[Message] = []
        deferred: list[Deferred] = []
        for receiver, of_receiver in _by_receiver(due).items():
            groups = _by_failed_digest(of_receiver)
            single = groups.pop("", [])
            for digest, group in groups.items():  # a retried digest keeps its steps
                made.append(message_of(group, receiver, digest, policy, self._board_url))
            if single:
                self._add(single, receiver, at, policy, made, deferred)
        return made, deferred

    def _add(
        self,
        due: list[Due],
        receiver: str,
        at: int,
        policy: Policy,
        made: list[Message],
        deferred: list[Deferred],
    ) -> None:
        described, history = policy.receivers[receiver], self._histories.setdefault(receiver, SendHistory())
        since = at - described.digest_every_ms
        history.recent = [sent for sent in history.recent if sent > since]
        if len(history.recent) + len(due) <= described.burst:
            made += [message_of([each], receiver, "", policy, self._board_url) for each in due]
            history.recent += [at] * len(due)
        elif history.digest_at is None or history.digest_at <= since:
            history.digest_at, history.digests = at, history.digests + 1
            digest = f"digest/{receiver}/{self._partition}/{history.digests}"
            made.append(message_of(due[:DIGEST_LIMIT], receiver, digest, policy, self._board_url))
            history.recent.append(at)
            deferred += [Deferred(each, at + described.digest_every_ms) for each in due[DIGEST_LIMIT:]]
        else:
            deferred += [Deferred(each, history.digest_at + described.digest_every_ms) for each in due]
            return
        self._changed.add(receiver)

    def load(self, key: bytes, value: bytes | None) -> None:
        """Load one entry of the changelog."""
        self._histories[key[1:].decode()] = msgspec.msgpack.decode(value or b"", type=SendHistory)

    def value(self, key: bytes) -> bytes | None:
        """Return the encoded history of a receiver; an empty one if it got no messages."""
        return msgspec.msgpack.encode(self._histories.get(key[1:].decode(), SendHistory()))

    def changed(self) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield the entries that changed since the last checkpoint."""
        changed, self._changed = self._changed, set()
        for receiver in changed:
            key = self.prefix + receiver.encode()
            yield key, self.value(key)


def _by_receiver(due: Sequence[Due]) -> dict[str, list[Due]]:
    groups: dict[str, list[Due]] = {}
    for each in due:
        groups.setdefault(each.step.receiver, []).append(each)
    return groups


def _by_failed_digest(due: Sequence[Due]) -> dict[str, list[Due]]:
    """Group retries by their failed digest; under "" are first sends and single retries."""
    groups: dict[str, list[Due]] = {}
    for each in due:
        groups.setdefault(each.step.digest if each.step.state == FAILED else "", []).append(each)
    return groups
