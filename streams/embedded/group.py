"""Workarounds of a group member for the embedded broker, and for no other broker.

:func:`install` adds them to an app; `streams.embedded.app` does so for the worker roles. They are for Tansu 0.6, and
name the lines of aiokafka 0.14.
"""

from copy import copy
from typing import Any

from aiokafka.protocol.group import JoinGroupRequest, SyncGroupRequest

from streams.kafka.app import BatchApp


def install(app: BatchApp) -> None:
    """Let the app's consumer work around the faults of the embedded broker's groups."""
    app.consumer_hooks += [leave_from_generation_zero, replace_missing_leader]


def leave_from_generation_zero(thread: Any) -> None:
    """Leave the group at the end also from generation 0: the embedded broker starts with 0, Apache Kafka with 1.

    aiokafka group_coordinator.py:375 reads 0 as no generation, and the group would wait for a session.
    """
    coordinator = thread._consumer._coordinator
    leave = coordinator._maybe_leave_group

    async def leave_any() -> None:
        coordinator.generation = coordinator.generation or 1  # the request names the member only
        await leave()

    coordinator._maybe_leave_group = leave_any


def replace_missing_leader(thread: Any) -> None:
    """Watch the group's answers to joins; join once with the id of a leader that has left: see MissingLeader."""
    coordinator, leader, log = thread._consumer._coordinator, MissingLeader(), thread.log
    send = coordinator._send_req

    async def watch(request: Any) -> Any:
        response = await send(request)
        if isinstance(request, SyncGroupRequest) and not response.error_code:
            leader.assigned()
        elif isinstance(request, JoinGroupRequest) and not response.error_code:
            left = response.leader_id
            if leader.has_left(response.generation_id, left, response.member_id):
                log.warning("The group waits for %s, which has left: joins once with its id", left)
                with_its_id = copy(request)
                with_its_id._member_id = left
                await send(with_its_id)
        return response

    coordinator._send_req = watch


class MissingLeader:
    """Detects that a group waits for a leader that has left it.

    The embedded broker (Tansu 0.6, administrator.rs) keeps the id of a leader that leaves while the group is forming:
    every member gets this leader's id, none assigns partitions, and all rejoin for ever. A join with the leader's id
    makes it a member again, so the broker times it out after a session, and chooses another leader.

        leader a  =====leaves
        b         join ── b's first try ─ second ─ third: joins once as a ──x removed ── b leads
        generation    7         7           7        7

    Apache Kafka counts generations with each join, so this never happens there.
    """

    TRIES = 3  # longer than two sessions: a leader that only hangs is removed by then

    def __init__(self) -> None:
        self._named: tuple[int, str] = (-1, "")
        self._tries = 0

    def assigned(self) -> None:
        """The leader has assigned partitions: it is present."""
        self._named, self._tries = (-1, ""), 0

    def has_left(self, generation: int, leader: str, member: str) -> bool:
        """`member` has joined: return True if the group named the same absent leader TRIES times."""
        self._tries = self._tries + 1 if self._named == (generation, leader) else 1
        self._named = generation, leader
        if leader in ("", member) or self._tries < self.TRIES:
            return False
        self._tries = 0
        return True
