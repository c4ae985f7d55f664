"""From steps that fell due to messages: to whom, whether now, and one by one or as a digest. Pure.

due        .. .  .    ::::::::::::::::::::::::::::::::      burst = 5, digest_every = 2 min
messages   || |  |    D               D               D     D: a digest of all that fell due since the last one
                      ^ more than 5 within 2 minutes
"""

from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from streams.desk.escalation.chain import Chain, Step
from streams.desk.escalation.notification import Words, digest, notice
from streams.desk.escalation.received_warning import Warned
from streams.desk.escalation.rota import on_shift
from streams.desk.policy.receivers import EXPERTS, Receiver
from streams.desk.policy.versions import Policy

DIGEST_LIMIT = 4000  # steps that one digest carries: more would not fit in a checkpoint


class Due(NamedTuple):
    """A step that fell due."""

    chain: Chain
    step: Step


class Message(NamedTuple):
    """What a receiver gets. `id` is `warning_id/step`, or the digest's, which names those of its steps."""

    receiver: str
    url_env: str
    id: str
    digest: str
    title: str
    body: str
    steps: tuple[Due, ...]


class Addressee(NamedTuple):
    """Who a step goes to, and from when on; or why to nobody."""

    receiver: str
    opens_at: int = 0
    why: str = ""


def addressee(step: Step, warned: Warned, policy: Policy, at: int, addresses: Collection[str]) -> Addressee:
    """Return who gets a step at the instant `at`. `addresses`: variables of receivers whose address is known."""
    receiver, why = _named(step, warned, policy, at)
    if why:
        return Addressee(receiver, why=why)
    described = policy.receivers.get(receiver)
    if described is None:
        return Addressee(receiver, why=f"the policy has no receiver {receiver}")
    if described.url_env not in addresses:
        return Addressee(receiver, why=f"no address: {described.url_env} is not set")
    return Addressee(receiver, opens_at(described, policy, at))


def opens_at(receiver: Receiver, policy: Policy, at: int) -> int:
    """Return the first instant from `at` on that lies within the receiver's hours."""
    if receiver.hours is None:
        return at
    return policy.calendars[receiver.hours].due(at, 1) - 1  # the first open millisecond


def _named(step: Step, warned: Warned, policy: Policy, at: int) -> tuple[str, str]:
    if step.state == "failed":
        return step.receiver, ""  # tried again where it was
    if step.to in policy.rotas:
        found = on_shift(policy.rotas[step.to], at, policy.timezone)
        return (found, "") if found is not None else ("", f"nobody is on shift in {step.to}")
    if step.to != EXPERTS:
        return step.to, ""
    labels = warned.labels()
    for pool in policy.experts.values():
        if labels.intersection(pool.tags):
            first = int.from_bytes(blake2b(warned.warning_id.encode(), digest_size=4).digest(), "big") + step.turn
            turns = [pool.members[(first + n) % len(pool.members)] for n in range(len(pool.members))]
            there = (name for name in turns if opens_at(policy.receivers[name], policy, at) <= at)
            return next(there, turns[0]), ""
    return "", "no expert pool has a tag of the warning"


class Flood(msgspec.Struct, array_like=True):
    """When a receiver got messages lately (ms), and when the last digest; how many digests there were."""

    recent: list[int] = []
    digest_at: int | None = None
    digests: int = 0


class DigestThrottle:
    """Keeps each receiver from being flooded."""

    def __init__(self) -> None:
        self.known: dict[str, Flood] = {}
        self.changed: set[str] = set()

    def messages(
        self, due: Sequence[Due], at: int, policy: Policy, partition: int, board_url: str
    ) -> tuple[list[Message], list[tuple[Due, int]]]:
        """Return the messages to send at the instant `at`, and the steps that wait, each with until when."""
        made: list[Message] = []
        held: list[tuple[Due, int]] = []
        for receiver, fresh in _by_receiver(due):
            groups = _retried(fresh)
            for name, group in groups.items():
                if name:  # a digest that failed goes out again as it was
                    made.append(message_of(group, receiver, name, policy, board_url))
            if "" in groups:
                self._fresh(groups[""], receiver, at, policy, partition, board_url, made, held)
        return made, held

    def _fresh(
        self,
        due: list[Due],
        receiver: str,
        at: int,
        policy: Policy,
        partition: int,
        board_url: str,
        made: list[Message],
        held: list[tuple[Due, int]],
    ) -> None:
        described, flood = policy.receivers[receiver], self.known.setdefault(receiver, Flood())
        since = at - described.digest_every_ms
        flood.recent = [sent for sent in flood.recent if sent > since]
        if len(flood.recent) + len(due) <= described.burst:
            made += [message_of([each], receiver, "", policy, board_url) for each in due]
            flood.recent += [at] * len(due)
        elif flood.digest_at is None or flood.digest_at <= since:
            flood.digest_at, flood.digests = at, flood.digests + 1
            name = f"digest/{receiver}/{partition}/{flood.digests}"
            made.append(message_of(due[:DIGEST_LIMIT], receiver, name, policy, board_url))
            flood.recent.append(at)
            held += [(each, at + described.digest_every_ms) for each in due[DIGEST_LIMIT:]]
        else:
            held += [(each, flood.digest_at + described.digest_every_ms) for each in due]
            return
        self.changed.add(receiver)

    def dump(self) -> Iterator[tuple[str, bytes]]:
        """Yield what changed since the last time, for the changelog."""
        changed, self.changed = self.changed, set()
        for name in changed:
            yield name, msgspec.msgpack.encode(self.known.get(name, Flood()))

    def load(self, name: str, value: bytes) -> None:
        """Take in what `dump` yielded."""
        self.known[name] = msgspec.msgpack.decode(value, type=Flood)


def message_of(due: Sequence[Due], receiver: str, name: str, policy: Policy, board_url: str) -> Message:
    """Return the message for these steps: a digest if it has a `name`. In the receiver's language."""
    described = policy.receivers.get(receiver)
    language = "en" if described is None else described.language
    words = Words(language, policy.timezone, board_url)
    told = [(each.chain.warned, f"{each.chain.warned.warning_id}/{each.step.number}") for each in due]
    title, body = digest(told, name, words) if name else notice(*told[0], words, due[0].chain.folds)
    url_env = "" if described is None else described.url_env
    return Message(receiver, url_env, name or told[0][1], name, title, body, tuple(due))


def _by_receiver(due: Sequence[Due]) -> Iterator[tuple[str, list[Due]]]:
    groups: dict[str, list[Due]] = {}
    for each in due:
        groups.setdefault(each.step.receiver, []).append(each)
    yield from groups.items()


def _retried(due: Sequence[Due]) -> dict[str, list[Due]]:
    """By the digest that failed; '' those that go out for the first time, or failed singly."""
    groups: dict[str, list[Due]] = {}
    for each in due:
        groups.setdefault(each.step.digest if each.step.state == "failed" else "", []).append(each)
    return groups
