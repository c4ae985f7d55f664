"""Whatever happens to workers, the changelog equals an offline fold, and no output is missing or contradicted.

Each test draws its workers as lines: `=` owns partitions, `x` killed, `~` frozen, `>` stopped by SIGTERM.
"""

import signal

import pytest

from streams.checkpoint.takeover import TOOK_OVER_LOG
from streams.embedded.process import free_port
from streams.kafka.consumer_thread import RECLAIMED_LOG
from tests.flow.conftest import STOP_LIMIT_S, ToyDesk, wait_for
from tests.flow.toy import PARTITIONS


def test_all_is_saved_and_committed_when_a_worker_stops(toy_desk: ToyDesk) -> None:
    toy_desk.produce(20_000)
    worker = toy_desk.worker("only", TOY_LIMIT="60000")  # 60 kB a checkpoint: they are cut inside fetched lists
    toy_desk.wait_folded()
    code, seconds = worker.stop()
    assert code == 0
    assert seconds < STOP_LIMIT_S
    assert "ERROR" not in worker.text()
    assert worker.statistics("outputs_resent") == 0
    assert toy_desk.committed() == len(toy_desk.events)
    toy_desk.check()


def test_killed_at_any_point_of_a_checkpoint(toy_desk: ToyDesk) -> None:
    """Before the append, after it and before the outputs, at any time.

    a ===x
    b     ===x
    c         ===x
    d             =====>
    """
    toy_desk.produce()
    for name, fault in (("a", "append:7:KILL"), ("b", "appended:6:KILL")):
        killed = toy_desk.worker(name, TOY_FAULT=fault)
        assert killed.process.wait(30) == -signal.SIGKILL
    third = toy_desk.worker("c")
    third.wait_owner(PARTITIONS)
    third.send(signal.SIGKILL)
    last = toy_desk.worker("d")
    last.wait_owner(PARTITIONS)
    toy_desk.finish()
    toy_desk.wait_folded()
    assert last.stop()[0] == 0
    toy_desk.check()
    assert toy_desk.committed() == len(toy_desk.events)


def test_batches_that_were_lost_on_the_way_are_fetched_again_where_none_follows(toy_desk: ToyDesk) -> None:
    """
    calls      fetched, lost ──── nothing comes ────> fetched again, folded
    tickets    fetched, folded
    """
    toy_desk.produce(2_000)
    worker = toy_desk.worker("only", TOY_LOSE=str(PARTITIONS), TOY_STALL="1")
    toy_desk.wait_folded()
    assert worker.stop()[0] == 0
    assert worker.statistics("sought_back")
    assert toy_desk.committed() == len(toy_desk.events)
    toy_desk.check()


def test_a_restarted_worker_reclaims_its_member_id(toy_desk: ToyDesk) -> None:
    """No session has to run out, and the group does not change.

    a ======x
    a2         ==>    ====>      (in a's data directory; the third follows one that left: as a new member)
    b ======:==:==:==:====>
    """
    toy_desk.produce()
    long = {"TOY_SESSION": "8", "TOY_DATA": str(toy_desk.folder / "data")}
    first, other = toy_desk.worker("a", **long), toy_desk.worker("b", **long)
    for worker in (first, other):
        worker.wait_owner(PARTITIONS // 2)
    members = toy_desk.members("data")
    everything = f"{TOOK_OVER_LOG}{list(range(PARTITIONS))}"
    alone = other.text().count(everything)
    first.send(signal.SIGKILL)
    first.process.wait()
    again = toy_desk.worker("a2", **long)
    again.wait_owner(PARTITIONS // 2)
    assert RECLAIMED_LOG in again.text()
    assert other.text().count(everything) == alone
    assert toy_desk.members("data") == members  # for the group it is the same member
    assert again.stop()[0] == 0
    other.wait_owner(PARTITIONS)
    third = toy_desk.worker("a3", **long)
    third.wait_owner(PARTITIONS // 2)
    assert RECLAIMED_LOG not in third.text()
    toy_desk.finish()
    toy_desk.wait_folded()
    for worker in (third, other):
        assert worker.stop()[0] == 0
    toy_desk.check()


def test_a_member_id_that_the_group_has_removed_is_no_harm(toy_desk: ToyDesk) -> None:
    """A file is left of a process whose member id the group does not know (any more)."""
    toy_desk.produce(1_000)
    folder = toy_desk.folder / "data" / "members" / f"{toy_desk.prefix}app"
    folder.mkdir(parents=True)
    (folder / "nobody-1").touch()
    worker = toy_desk.worker("a", TOY_DATA=str(toy_desk.folder / "data"))
    worker.wait_owner(PARTITIONS)
    assert f"{RECLAIMED_LOG}nobody-1" in worker.text()
    assert len(toy_desk.members("data")) == 1
    toy_desk.wait_folded()
    assert worker.stop()[0] == 0
    assert toy_desk.members("data") == set()
    toy_desk.check()


def test_a_worker_joins_and_leaves(toy_desk: ToyDesk) -> None:
    """
    a ====:==:====>
    b      ==>    :
    c        :  ======>      (takes the other half, then all)
    """
    toy_desk.produce()
    first = toy_desk.worker("a")
    first.wait_owner(PARTITIONS)
    second = toy_desk.worker("b")
    second.wait_owner(PARTITIONS // 2)
    first.wait_owner(PARTITIONS // 2)
    assert "2 of them kept" in first.text()
    assert second.stop()[0] == 0
    first.wait_owner(PARTITIONS)
    third = toy_desk.worker("c")
    third.wait_owner(PARTITIONS // 2)
    assert first.stop()[0] == 0
    third.wait_owner(PARTITIONS)
    toy_desk.finish()
    toy_desk.wait_folded()
    assert third.stop()[0] == 0
    toy_desk.check()
    assert first.statistics("given_up") == 0


@pytest.mark.parametrize("fault", ["never:0:STOP", "append:5:STOP"], ids=["anywhere", "before_the_append"])
def test_a_frozen_worker_wakes_up_as_a_zombie(toy_desk: ToyDesk, fault: str) -> None:
    """Frozen for longer than its session: anywhere, or between the check of the lease and the append.

    a =======:==============
    b     ===~~~~~~~ (zombie) =====
    """
    toy_desk.produce()
    other = toy_desk.worker("a")
    other.wait_owner(PARTITIONS)
    frozen = toy_desk.worker("b", TOY_FAULT=fault)
    frozen.wait_owner(PARTITIONS // 2)
    other.wait_owner(PARTITIONS // 2)
    if fault.startswith("never"):
        frozen.send(signal.SIGSTOP)
    frozen.wait_frozen()
    other.wait_owner(PARTITIONS)
    frozen.send(signal.SIGCONT)
    wait_for("the zombie to come back", lambda: frozen.text().count(TOOK_OVER_LOG) > 1)
    toy_desk.finish()
    toy_desk.wait_folded()
    assert frozen.stop()[0] == 0
    toy_desk.check()
    if fault.startswith("append:"):
        assert frozen.statistics("fenced") == 1


def test_an_owner_restarts_when_a_zombie_claims_its_partition(toy_desk: ToyDesk) -> None:
    """The group still counts it as the owner, so no other worker takes over: it claims again after a restart.

    a ====== x (fenced)
    b           =====>
    """
    toy_desk.produce()
    fenced = toy_desk.worker("a")
    fenced.wait_owner(PARTITIONS)
    wait_for("a checkpoint", lambda: toy_desk.folded() > 0)
    toy_desk.claim(partition=1, epoch=1000)
    assert fenced.process.wait(20) == 1
    assert "a former owner claimed it back" in fenced.text()
    other = toy_desk.worker("b")
    other.wait_owner(PARTITIONS)
    toy_desk.finish()
    toy_desk.wait_folded()
    code, seconds = other.stop(signal.SIGINT)
    assert (code, seconds < STOP_LIMIT_S) == (0, True)
    assert toy_desk.check()[1].epoch == 1001


def test_a_crash_ends_the_worker(toy_desk: ToyDesk) -> None:
    toy_desk.produce(2_000)
    crashed = toy_desk.worker("a", TOY_FAULT="feed:2:RAISE")
    assert crashed.process.wait(20) == 1
    assert "RuntimeError: injected fault" in crashed.text()


def test_no_broker_is_one_sentence(toy_desk: ToyDesk) -> None:
    toy_desk.broker = f"127.0.0.1:{free_port()}"
    worker = toy_desk.worker("a")
    assert worker.process.wait(20) == 1
    lines = [line for line in worker.text().splitlines() if "No Kafka broker answers" in line]
    assert len(lines) == 1
    assert toy_desk.broker in lines[0]
    assert "Traceback" not in worker.text()
