"""Taking partitions over: read the changelog, claim it, read what came in between, send the last outbox again."""

import time
from typing import TYPE_CHECKING, Any

from streams.checkpoint.partition import Partition

if TYPE_CHECKING:
    from streams.checkpoint.table import CheckpointTable


async def take_over(table: "CheckpointTable", numbers: set[int], generation: int) -> None:
    """Make the table hold exactly these partitions, each restored and claimed; or leave it to a newer generation.

    Arguments:
        numbers: the changelog partitions assigned to this worker.
        generation: the consumer group's generation that assigned them.
    """
    started = time.monotonic()
    kept = {number: part for number, part in table.held.items() if number in numbers}
    parts = {number: kept.get(number) or Partition(number, table.new_state(number)) for number in numbers}
    for part in parts.values():
        part.ready = False
    await _load(table, [part for number, part in parts.items() if number not in kept], {})
    unclaimed = set(numbers)
    while unclaimed:
        if not await _lease(table, generation):
            return
        for number in sorted(unclaimed):
            if await _claim(table, parts, number, fresh=number not in kept, generation=generation):
                unclaimed.discard(number)
    for number, part in parts.items():
        if number not in kept or kept[number] is not part:
            part.state.restored()
            part.offsets = dict(part.reader.offsets)
        outbox, part.reader.outbox = part.reader.outbox, []
        await table.changelog.send(number, outbox)
        table.statistics.outputs_resent += len(outbox)
    if table.generation != generation:
        return
    for part in parts.values():  # who waits for them has waited long enough: what is folded first is due at once
        part.ready, part.saved_at = True, time.monotonic() - table.interval
        part.gaps.clear()
        part.stalls.clear()
    table.held = parts
    seconds = time.monotonic() - started
    table.statistics.restores += len(parts) - len(kept)
    table.statistics.restore_seconds += seconds
    table.log.info("Took over partitions %s in %.2f s, %d of them kept", sorted(parts), seconds, len(kept))


async def _lease(table: "CheckpointTable", generation: int) -> bool:
    """Wait for a heartbeat that the group accepts; return False if the generation is over."""
    while table.generation == generation and not table.app.should_stop:
        if table.lease_held():
            return True
        await table.app.consumer.renew_lease()
        if not table.lease_held():
            await table.sleep(0.1)
    return False


async def _claim(
    table: "CheckpointTable", parts: dict[int, Partition], number: int, *, fresh: bool, generation: int
) -> bool:
    """Append a claim and read up to it; return False if a higher one came first: then claim again."""
    part = parts[number]
    epoch, records = part.reader.claim(generation, table.owner)
    base, _size = await table.changelog.append(number, records)
    table.statistics.claims += 1
    between = (
        await table.changelog.read_between(number, part.reader.position, base) if base != part.reader.position else []
    )
    if fresh or part is not table.held.get(number):
        part.reader.apply(between, part.state.load)
    else:
        checkpoints = part.reader.checkpoints
        part.reader.apply(between, _ignore)
        if part.reader.checkpoints != checkpoints:  # somebody else went on from our state: begin anew
            part = parts[number] = Partition(number, table.new_state(number))
            await _load(table, [part], {number: base})
    return part.reader.claimed(base, epoch, table.owner)


async def _load(table: "CheckpointTable", parts: list[Partition], ends: dict[int, int]) -> None:
    """Fill new partitions from the beginning of the changelog to their end, or to what is there."""
    by_number = {part.number: part for part in parts}

    def apply(number: int, records: list[Any]) -> None:
        part, end = by_number[number], ends.get(number)
        part.reader.apply(
            records if end is None else [record for record in records if record.offset < end], part.state.load
        )

    await table.changelog.read(dict.fromkeys(by_number, 0), ends, apply)


def _ignore(_key: bytes, _value: bytes | None) -> None:
    """Take no entry in."""


TOOK_OVER_LOG = "Took over partitions "
"""How a track worker's log begins to say which partitions it holds."""
