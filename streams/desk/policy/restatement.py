"""Starting a partition with another policy than that of its checkpoints.

    followed   |-- "a" ------------------------------>      in the checkpoints
    given      |-- "a" ---------------|-- "b" ------->      a version more
                             ^ business time is here        "b" is still to come: the given policy is followed
                                             ^ or here      "b" would change written rows: refused, or restated

A checkpoint holds the texts of the versions it follows, so the next process can fold every subject under both policies
and write the difference. Track restates one subject after another, the stage customers one customer after another, with
checkpoints in between. The window rules go back to the instant at which the policies differ, and judge again from
there, as far back as they hold tallies. So with window rules, a restatement reaches no further back than
windows.lateness.
"""

from collections.abc import Callable, Iterable, Mapping
from heapq import heapify, heappop, heappush

from streams.desk.policy.difference import difference, differs_since, has_window_rules, same_timezones
from streams.desk.policy.versions import Policies, parse
from streams.desk.saved import Entry, PendingEntries
from streams.errors import UserError
from streams.models.instants import MINUTE, format_instant

FOLLOWED, NEXT = b"v", b"w"
"""First bytes of the changelog keys: of the followed versions, and of a restatement's target versions."""


class PolicyRefused(UserError):
    """The given policy would change written rows. The message says which version, and what to do."""


class Restatement:
    """A walk over all names of a partition, in order: those up to `done` follow the new policies, the rest the former.

    names   a  b  c │ d  e
                  ^ done

    It stops between two names when a checkpoint is full, and continues after it. To continue in another process, set
    `done` and `under_way` first, so that restored names follow the right policies; then `begin` with the rest.
    """

    def __init__(self) -> None:
        self.under_way = False
        self.done = ""
        self._left: list[str] = []  # a heap

    def begin(self, names: Iterable[str], done: str = "") -> None:
        """Begin to restate these names, except those up to `done`."""
        self.under_way, self.done = True, done
        self._left = [name for name in names if name > done]
        heapify(self._left)

    def add(self, name: str) -> None:
        """Restate a new name too, while it is under way."""
        if name > self.done:
            heappush(self._left, name)

    def is_pending(self, name: str) -> bool:
        """Whether a name still follows the former policies."""
        return self.under_way and name > self.done

    def go_on(self, restate: Callable[[list[str]], None], full: Callable[[], bool], batch: int = 1) -> bool:
        """Call `restate` for the remaining names, in batches; False: the checkpoint is `full` before the end."""
        while self._left:
            if full():
                return False
            names = [heappop(self._left) for _ in range(min(batch, len(self._left)))]
            self.done = names[-1]
            restate(names)
        self.under_way = False
        return True


class SavedRestatement:
    """The progress of a restatement; no entry if none is under way. A saved part, under one key."""

    def __init__(self, key: bytes, restatement: Restatement) -> None:
        self.prefix = key
        self.pending = PendingEntries()
        self._restatement = restatement

    def put(self) -> None:
        """Write it with the next snapshot."""
        self.pending.put(self.prefix, self.value(self.prefix))

    def load(self, _key: bytes, value: bytes | None) -> None:
        """See :class:`streams.desk.saved.Saved`."""
        self._restatement.under_way = value is not None
        self._restatement.done = (value or b"").decode()

    def value(self, _key: bytes) -> bytes | None:
        """See :class:`streams.desk.saved.Saved`."""
        return self._restatement.done.encode() if self._restatement.under_way else None

    def changed(self) -> Iterable[Entry]:
        """See :class:`streams.desk.saved.Saved`."""
        return self.pending.take()


class Following:
    """The policy that a partition of track, or of a stage, follows. A saved part.

    Arguments:
        partition: its number.
        given: the policy given to this process.
        restate: whether it may change written rows.
        prefix: FOLLOWED alone if restatements are never interrupted by checkpoints.
    """

    def __init__(self, partition: int, given: Policies, restate: bool, prefix: bytes = FOLLOWED + NEXT) -> None:
        self.partition, self.given, self.restate, self.prefix = partition, given, restate, prefix
        self.followed = given
        self.next: Policies | None = None  # during a restatement, its target
        self._entries: dict[bytes, bytes | None] = dict(_texts(FOLLOWED, given))  # to be written
        self._loaded: dict[bytes, bytes] = {}

    def differs(self, until: int) -> bool:
        """Whether the given policy changes rows written up to `until` (ms). Raises PolicyRefused if it must not."""
        found = None if until < 0 else difference(self.followed, self.given, until)
        if found is None:
            return False
        where = f"partition {self.partition} has come to {format_instant(until)}"
        if not self.restate:
            raise PolicyRefused(
                f"{found}, and {where}: let it take effect later, in a version of its own, or say --restate to have "
                "all that is held counted anew."
            )
        if not same_timezones(self.followed, self.given):
            raise PolicyRefused(
                f"{found} with another timezone, and {where}: the desk's days cannot be cut anew; replay its log into "
                "another database instead."
            )
        if self.since(until) - MINUTE < (held := self._held_since(until)) and self._has_window_rules(until):
            raise PolicyRefused(
                f"{found}, and {where}: window rules can be judged anew back to {format_instant(held)} and no further "
                "(windows.lateness); let it take effect after that, or replay its log into another database instead."
            )
        return True

    def since(self, until: int) -> int:
        """The first instant at which the policies differ, given that they do by `until`; -1: from the start."""
        return differs_since(self.followed, self.given, until)

    def _held_since(self, until: int) -> int:
        """The instant since which the window rules hold tallies."""
        return until - min(policies.at(until).lateness_ms for policies in (self.followed, self.given))

    def _has_window_rules(self, until: int) -> bool:
        since = self.since(until)
        return any(has_window_rules(policies, since, until) for policies in (self.followed, self.given))

    # Changing the policy

    def follow_given(self) -> None:
        """Follow the given policy from now on."""
        self._entries |= dict.fromkeys(_texts(FOLLOWED, self.followed)) | _texts(FOLLOWED, self.given)
        self.followed = self.given

    def go_on_restating(self, until: int, begin: Callable[[Policies], None], go_on: Callable[[], bool]) -> bool:
        """Begin or continue to restate by the given policy; return True once it is followed. Raises PolicyRefused.

        Arguments:
            until: the instant (ms) up to which rows were written.
            begin: begins the walk; gets the target policy.
            go_on: continues the walk; returns False if a checkpoint has to come first.
        """
        if self.next is None:
            if self.given is self.followed:
                return True
            self.differs(until)
            self.next = self.given
            self._entries |= _texts(NEXT, self.next)
            begin(self.next)
        if not go_on():
            return False
        self._entries |= dict.fromkeys([*_texts(FOLLOWED, self.followed), *_texts(NEXT, self.next)])
        self._entries |= _texts(FOLLOWED, self.next)
        self.followed, self.next = self.next, None
        return self.given is self.followed

    # Checkpoints

    def load(self, key: bytes, value: bytes | None) -> None:
        """See :class:`streams.desk.saved.Saved`."""
        if value is None:
            self._loaded.pop(key, None)
        else:
            self._loaded[key] = value

    def restore(self, restating: bool, until: int, busy: bool) -> None:
        """Follow the policy of the checkpoint, or at once the given one if it changes no written row.

        `busy`: not at once, since a step under the former policy is unfinished. Raises PolicyRefused.
        """
        followed = _kept(FOLLOWED, self._loaded, self.given)
        if followed is None:
            return  # no checkpoint, or one of format 1
        self.followed = followed
        if restating:
            self.next = _kept(NEXT, self._loaded, self.given)
        elif not busy and not self.differs(until):
            self.followed = self.given
        self._entries = {}
        if self.followed is self.given:
            ours = _texts(FOLLOWED, self.given)
            self._entries |= dict.fromkeys(key for key in self._loaded if key[:1] == FOLLOWED and key not in ours)
            self._entries |= {key: text for key, text in ours.items() if self._loaded.get(key) != text}
        self._loaded = {}

    def value(self, key: bytes) -> bytes | None:
        """See :class:`streams.desk.saved.Saved`."""
        policies = self.followed if key[:1] == FOLLOWED else self.next
        return None if policies is None else _texts(key[:1], policies).get(key)

    def changed(self) -> Iterable[Entry]:
        """See :class:`streams.desk.saved.Saved`."""
        entries, self._entries = self._entries, {}
        return entries.items()


def _texts(kind: bytes, policies: Policies) -> dict[bytes, bytes]:
    return {kind + policy.version.encode(): policy.text.encode() for policy in policies.versions}


def _kept(kind: bytes, texts: Mapping[bytes, bytes], given: Policies) -> Policies | None:
    """The versions of one kind in a changelog: the given objects if equal to them; None if there are none."""
    found = {key: text for key, text in texts.items() if key[:1] == kind}
    if not found:
        return None
    if found == _texts(kind, given):
        return given
    return Policies([parse(text.decode(), f"(checkpoint) {key[1:].decode()}") for key, text in found.items()])
