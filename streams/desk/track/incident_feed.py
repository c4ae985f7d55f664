"""The output of track for incidents: children's warnings, sent to the homes of their parents, and progress.

    warning of t1 (parent p) ──> risk-warnings, the partition of t1
                        └──────> incident-warnings, the partition of p ──> role escalate
    progress of this desk ─────> incident-warnings, all partitions

A warning goes to every parent that its ticket had while it stood: it leaves one incident and joins another.
"""

from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.output.change_set import ChangeSet
from streams.models.messages import progress, warning
from streams.models.records import Output
from streams.models.rows import ProgressRow, WarningRow
from streams.models.topics import INCIDENTS


def incident_messages(
    change_set: ChangeSet, partition: int, version: int, complete_until: int, homes: CustomerPartitioner
) -> list[Output]:
    """The messages of a checkpoint, after setting the rows' version; the key of a warning is the parent addressed.

    `complete_until`: the instant (ms) before which all warnings are written.
    """
    made: list[Output] = []
    for identity, parents in change_set.parents.items():
        row = change_set.rows[identity]
        assert isinstance(row, WarningRow)
        value = warning(row).value
        made += [Output(INCIDENTS, each.encode(), value, (), homes.of(each)) for each in sorted(parents)]
    told = ProgressRow(INCIDENTS, partition, complete_until, {}, version)
    return made + [progress(INCIDENTS, told, number) for number in range(homes.partitions)]
