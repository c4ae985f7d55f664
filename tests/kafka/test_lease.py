"""Before work is given up, the group is asked: a worker that was held up may still be a member."""

import asyncio
from types import SimpleNamespace

import pytest

from streams.checkpoint import table as checkpoint
from streams.checkpoint.table import CheckpointTable


class Group:
    """What a table sees of its group; `answer` is None if none comes."""

    def __init__(self, answer: bool | None) -> None:
        self.answer, self.held, self.asked = answer, False, 0
        self.app = SimpleNamespace(consumer=self)

    def lease_held(self) -> bool:
        return self.held

    async def renew_lease(self) -> None:
        self.asked += 1
        if self.answer is None:
            await asyncio.Event().wait()
        self.held = bool(self.answer)


@pytest.mark.parametrize(("answer", "ours"), [(True, True), (False, False), (None, False)])
def test_an_old_lease_is_renewed_if_the_group_says_so(
    answer: bool | None, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "LEASE_PATIENCE_S", 0.01)
    assert asyncio.run(CheckpointTable._lease_now(Group(answer))) is ours  # type: ignore[arg-type]


def test_a_young_lease_needs_no_question() -> None:
    group = Group(False)
    group.held = True
    assert asyncio.run(CheckpointTable._lease_now(group))  # type: ignore[arg-type]
    assert not group.asked
