"""Creates and wires the parts of a partition of track."""

from collections.abc import Callable

from streams.desk.customers.homes import CustomerPartitioner
from streams.desk.output.change_set import ChangeSet
from streams.desk.output.panes import Panes
from streams.desk.output.saved_panes import SavedPanes
from streams.desk.policy.restatement import Following
from streams.desk.policy.versions import Policies
from streams.desk.track.arrivals import Arrivals
from streams.desk.track.closures import Closures
from streams.desk.track.customer_feed import CustomerFeed
from streams.desk.track.dead_letter_limit import DeadLetterLimit, DeadLetterMonitor
from streams.desk.track.held_rows import HeldRows
from streams.desk.track.reference_events import ReferenceEvents
from streams.desk.track.subjects import Subjects
from streams.desk.track.watermark import Watermarks
from streams.models.instants import DAY
from streams.models.topics import INPUTS


class DeskParts:
    """The parts; each keeps its own state. Arguments: see :class:`streams.desk.track.partition.Desk`."""

    def __init__(
        self,
        partition: int,
        policies: Policies,
        *,
        wall: bool,
        restate: bool,
        limit: DeadLetterLimit,
        homes: CustomerPartitioner,
        cached_subjects: int,
        say: Callable[[str], None],
    ) -> None:
        self.partition, self.wall, self.homes = partition, wall, homes
        self.policy = Following(partition, policies, restate)
        self.panes = Panes(partition, lambda at: self.policy.followed.local_time.begin(at, DAY))
        self.saved_panes = SavedPanes(self.panes)
        self.change_set = ChangeSet(self.panes)
        self.arrivals = Arrivals()
        self.dead_letters = DeadLetterMonitor(partition, INPUTS, limit)
        self.watermarks = Watermarks(INPUTS)
        self.subjects = Subjects(policies, self.change_set, self.arrivals.count, cached_subjects)
        self.closures = Closures(self.policy, self.subjects)
        self.references = ReferenceEvents()
        self.customers = CustomerFeed(self.subjects.store, self.references, homes)
        self.held_rows = HeldRows(partition, self.subjects.store, self.customers, self.change_set, say)
        self.release = self.held_rows.release
        self.subjects.on_release = self.customers.release
        self.references.on_release = self.customers.release_scores
