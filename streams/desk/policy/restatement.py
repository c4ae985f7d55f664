"""When the policy a desk is started with is not the one its checkpoints were made with.

    followed   |-- "a" ------------------------------>      in the checkpoints
    given      |-- "a" ---------------|-- "b" ------->      a version more
                             ^ the desk has come to here    "b" is still to come: the given policy is followed
                                             ^ or to here   "b" would change what was written: refused, or restated

A checkpoint holds the texts of the versions it follows, so a successor can fold every subject under both and write the
difference, subject after subject, with checkpoints in between. So does the stage customers, customer after customer.
The stage watch goes back to where the policies part, and judges anew from there; which it can as long as it holds what
happened. So where there are window rules, a restatement reaches no further back than windows.lateness.
"""

import tomllib
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from streams.desk.policy.rules import RULE_SUBJECTS
from streams.desk.policy.versions import Policies, Policy, parse
from streams.errors import UserError
from streams.models.instants import MINUTE, format_instant

FOLLOWED, NEXT = b"v", b"w"
"""First bytes of the changelog keys of the versions followed, and of those that a restatement leads to."""

NO_MATTER = ("goals", "receivers")
"""Sections that change no row."""


class PolicyRefused(UserError):
    """The given policy would change what was written: one sentence that says which version, and what to do."""


class Following:
    """Which policy a partition, of the desk or of a later stage, follows.

    Arguments:
        given: the policy that this process was started with.
        restate: whether it may change what was written.
    """

    def __init__(self, partition: int, given: Policies, restate: bool) -> None:
        self.partition, self.given, self.restate = partition, given, restate
        self.followed = given
        self.next: Policies | None = None  # during a restatement, what it leads to
        self.entries: dict[bytes, bytes | None] = dict(_entries(FOLLOWED, given))  # to be written
        self._texts: dict[bytes, bytes] = {}  # as restored

    def differs(self, until: int) -> bool:
        """Whether the given policy changes what was written up to `until` (ms). Raises PolicyRefused if it must not."""
        found = None if until < 0 else difference(self.followed, self.given, until)
        if found is None:
            return False
        where = f"partition {self.partition} has come to {format_instant(until)}"
        if not self.restate:
            raise PolicyRefused(
                f"{found}, and {where}: let it take effect later, in a version of its own, or say --restate to have "
                "all that is held counted anew."
            )
        if _timezones(self.followed) != _timezones(self.given):
            raise PolicyRefused(
                f"{found} with another timezone, and {where}: the desk's days cannot be cut anew; replay its log into "
                "another database instead."
            )
        if self.since(until) - MINUTE < (held := self._held_since(until)) and self._judges_windows(until):
            raise PolicyRefused(
                f"{found}, and {where}: window rules can be judged anew back to {format_instant(held)} and no further "
                "(windows.lateness); let it take effect after that, or replay its log into another database instead."
            )
        return True

    def since(self, until: int) -> int:
        """The first instant at which the policies differ, which they do by `until`; -1: from the start."""
        return _since(*_first_pair(self.followed, self.given, until))

    def follow(self) -> None:
        """Follow the given policy from here on."""
        self.entries |= dict.fromkeys(_entries(FOLLOWED, self.followed)) | _entries(FOLLOWED, self.given)
        self.followed = self.given

    def _held_since(self, until: int) -> int:
        """Since when the stage watch can judge anew."""
        return until - min(policies.at(until).lateness_ms for policies in (self.followed, self.given))

    def _judges_windows(self, until: int) -> bool:
        """Whether a version in force since the policies differ has a window rule."""
        since = self.since(until)
        return any(
            rule.rule in RULE_SUBJECTS
            for policies in (self.followed, self.given)
            for version in policies.versions[policies.switched(since) : policies.switched(until) + 1]
            for rule in version.rules
        )

    def begin(self) -> Policies:
        """Start to count anew by the given policy; returns it."""
        self.next = self.given
        self.entries |= _entries(NEXT, self.next)
        return self.next

    def finish(self) -> None:
        """All is counted anew."""
        assert self.next is not None
        self.entries |= dict.fromkeys([*_entries(FOLLOWED, self.followed), *_entries(NEXT, self.next)])
        self.entries |= _entries(FOLLOWED, self.next)
        self.followed, self.next = self.next, None

    # Checkpoints

    def load(self, key: bytes, value: bytes | None) -> None:
        """Take an entry of the changelog."""
        if value is None:
            self._texts.pop(key, None)
        else:
            self._texts[key] = value

    def restore(self, restating: bool, until: int, busy: bool) -> None:
        """Follow what the checkpoint follows, and the given policy at once if that changes nothing that was written.

        `busy`: not at once, for something else is still to be finished by the former. Raises PolicyRefused.
        """
        followed = _kept(FOLLOWED, self._texts, self.given)
        if followed is None:
            return  # no checkpoint, or one of the first format
        self.followed = followed
        if restating:
            self.next = _kept(NEXT, self._texts, self.given)
        elif not busy and not self.differs(until):
            self.followed = self.given
        self.entries = {}
        if self.followed is self.given:
            ours = _entries(FOLLOWED, self.given)
            self.entries |= dict.fromkeys(key for key in self._texts if key[:1] == FOLLOWED and key not in ours)
            self.entries |= {key: text for key, text in ours.items() if self._texts.get(key) != text}
        self._texts = {}

    def entry(self, key: bytes) -> bytes | None:
        """What the changelog should hold under a key of this module."""
        policies = self.followed if key[:1] == FOLLOWED else self.next
        return None if policies is None else _entries(key[:1], policies).get(key)


def difference(followed: Policies, given: Policies, until: int) -> str | None:
    """The first difference between two policies up to the instant `until` (ms), as half a sentence; None: none."""
    old, new = _first_pair(followed, given, until)
    if old is None and new is None:
        return None
    if old is not None and old.version not in {policy.version for policy in given.versions}:
        return f"The policy version {old.version}, in force up to now, is gone"
    if old is not None and new is not None and new.version == old.version:
        return f"The policy version {new.version} ({new.file}), in force up to now, was changed"
    if new is None:
        assert old is not None
        return f"The policy version {old.version}, in force up to now, takes effect later"
    since = "" if new.effective_from is None else f", from {format_instant(new.effective_from)} on"
    return f"The policy version {new.version} ({new.file}) takes effect in the past{since}"


def _first_pair(followed: Policies, given: Policies, until: int) -> tuple[Policy | None, Policy | None]:
    """The first versions in force by `until` that differ; None: no version more; both None: no difference."""
    before = followed.versions[: followed.switched(until) + 1]
    after = given.versions[: given.switched(until) + 1]
    for old, new in zip_longest(before, after):
        if old is None or new is None or _meaning(old) != _meaning(new):
            return old, new
    return None, None


def _since(*versions: Policy | None) -> int:
    """When the first of some versions takes effect."""
    return min(-1 if version.effective_from is None else version.effective_from for version in versions if version)


def _entries(kind: bytes, policies: Policies) -> dict[bytes, bytes]:
    return {kind + policy.version.encode(): policy.text.encode() for policy in policies.versions}


def _kept(kind: bytes, texts: Mapping[bytes, bytes], given: Policies) -> Policies | None:
    """The versions of one kind that a changelog keeps: the given ones themselves, if they are these; None if none."""
    found = {key: text for key, text in texts.items() if key[:1] == kind}
    if not found:
        return None
    if found == _entries(kind, given):
        return given
    return Policies([parse(text.decode(), f"(checkpoint) {key[1:].decode()}") for key, text in found.items()])


def _timezones(policies: Policies) -> set[str]:
    return {policy.timezone for policy in policies.versions}


def _meaning(policy: Policy) -> dict[str, Any]:
    """What a version says: without comments, and what changes no row."""
    return {name: section for name, section in tomllib.loads(policy.text).items() if name not in NO_MATTER}
