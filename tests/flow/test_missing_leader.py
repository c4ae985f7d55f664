"""A leader leaves while its group is forming: the embedded broker keeps its id, so no member can lead."""

import asyncio
from typing import Any

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import MemberIdRequired
from aiokafka.protocol.api import Request
from aiokafka.protocol.group import JoinGroupRequest, LeaveGroupRequest

from streams.embedded.group import MissingLeader
from tests.flow.conftest import ToyDesk
from tests.flow.toy import PARTITIONS


async def lead_and_leave(broker: str, group: str) -> str:
    """Join a group as its first member and leave it before partitions are assigned; returns the member's id."""
    client, member = AIOKafkaClient(bootstrap_servers=broker), ""

    async def send(request: Request[Any]) -> Any:
        return await client.send(node, request, group=ConnectionGroup.COORDINATION)

    await client.bootstrap()
    try:
        node = await client.coordinator_lookup(CoordinationType.GROUP, group)
        while True:
            answer = await send(JoinGroupRequest(group, 2000, 2000, member, None, "consumer", [("faust", b"")]))
            member = member or answer.member_id
            if answer.error_code != MemberIdRequired.errno:
                break
        assert (answer.error_code, answer.leader_id) == (0, member)
        assert (await send(LeaveGroupRequest(group, member))).error_code == 0
        return member
    finally:
        await client.close()


def test_a_group_whose_leader_left_while_it_formed_finds_another(toy_desk: ToyDesk) -> None:
    """
    leader  =>
    a          ......====>     on Apache Kafka at once
    """
    toy_desk.produce(2_000)
    left = asyncio.run(lead_and_leave(toy_desk.broker, f"{toy_desk.prefix}app"))
    worker = toy_desk.worker("a")
    worker.wait_owner(PARTITIONS)
    toy_desk.wait_folded()
    assert worker.stop()[0] == 0
    assert (f"waits for {left}, which has left" in worker.text()) == toy_desk.embedded  # else the test shows nothing
    toy_desk.check()


def test_a_leader_that_assigns_nothing_three_times_in_one_generation_has_left() -> None:
    leader = MissingLeader()
    assert [leader.has_left(7, "a", "b") for _ in range(6)] == [False, False, True] * 2
    assert not leader.has_left(8, "a", "b")  # as Apache Kafka counts
    assert not any(leader.has_left(8, "b", "b") for _ in range(9))  # itself
    assert [leader.has_left(9, "a", "b") for _ in range(2)] == [False, False]
    leader.assigned()
    assert [leader.has_left(9, "a", "b") for _ in range(3)] == [False, False, True]
