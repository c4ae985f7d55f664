"""The lease: how long an accepted heartbeat counts, and how a delayed worker asks the group.

heartbeats    accepted ─────── 0.8 sessions ───────┐
lease         held ────────────────────────────────┘ not held   ── confirm: the group is asked
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from streams.kafka import lease as lease_module
from streams.kafka.lease import Lease

SESSION_S = 10.0


class Group:
    """A consumer's thread, as far as the lease sees it; `answer` is the group's, None if none comes."""

    def __init__(self, answer: bool | None = True, generation: int = 3) -> None:
        self.answer, self.asked, self.rebalancing = answer, 0, False
        self.coordinator = self._coordinator = SimpleNamespace(
            generation=generation,
            _do_heartbeat=self.beat,
            _rejoin_needed_fut=SimpleNamespace(done=lambda: self.rebalancing),
        )
        self._consumer = self
        self.app = SimpleNamespace(conf=SimpleNamespace(broker_session_timeout=SESSION_S))

    async def beat(self) -> bool:
        self.asked += 1
        if self.answer is None:
            await asyncio.Event().wait()
        return bool(self.answer)

    async def call_thread(self, function: Callable[[], Awaitable[Any]]) -> Any:
        return await function()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The lease's clock: `now` in seconds."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(lease_module, "clock", lambda: clock.now)
    return clock


def leased(group: Group) -> Lease:
    lease = Lease()
    lease.attach(group)
    return lease


def test_without_a_heartbeat_there_is_no_lease() -> None:
    assert not Lease().held(3)
    assert not leased(Group()).held(3)


def test_an_accepted_heartbeat_counts_for_most_of_a_session_from_when_it_was_sent(clock: SimpleNamespace) -> None:
    lease = leased(Group())
    asyncio.run(lease.renew())
    clock.now += 7.9
    assert lease.held(3)
    assert lease.age() == pytest.approx(7.9)
    clock.now += 0.2
    assert not lease.held(3)


def test_the_lease_of_another_generation_does_not_count(clock: SimpleNamespace) -> None:
    group = Group()
    lease = leased(group)
    asyncio.run(lease.renew())
    assert not lease.held(2)
    group.coordinator.generation = 4
    assert not lease.held(3)
    assert not lease.held(4)


def test_a_heartbeat_of_a_group_that_rebalances_does_not_count(clock: SimpleNamespace) -> None:
    group = Group()
    lease, group.rebalancing = leased(group), True
    asyncio.run(lease.renew())
    assert not lease.held(3)


@pytest.mark.parametrize(("answer", "ours"), [(True, True), (False, False), (None, False)])
def test_an_old_lease_is_renewed_if_the_group_says_so(answer: bool | None, ours: bool, clock: SimpleNamespace) -> None:
    group = Group()
    lease = leased(group)
    asyncio.run(lease.renew())
    clock.now, group.answer = clock.now + SESSION_S, answer
    assert asyncio.run(lease.confirm(3, patience_s=0.01)) is ours


def test_a_young_lease_needs_no_question(clock: SimpleNamespace) -> None:
    group = Group()
    lease = leased(group)
    asyncio.run(lease.renew())
    group.asked = 0
    assert asyncio.run(lease.confirm(3))
    assert not group.asked
