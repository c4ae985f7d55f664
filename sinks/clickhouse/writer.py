"""Writes batches of rows to ClickHouse: few large inserts, repeated until they are in.

Every table replaces rows by identity and version, so an insert whose outcome is unknown is repeated: after an error, a
time-out, a connection that broke before or after the server executed it. Nothing is lost, nothing doubled.
"""

import logging
import threading
import time
from collections.abc import Callable

import tenacity
from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError

from sinks.clickhouse.calendars import write_calendars
from sinks.clickhouse.client import Client, in_one_line
from sinks.clickhouse.error_codes import FinalError
from sinks.clickhouse.rows import COLUMNS, Batch
from streams.desk.policy.versions import Policies
from streams.errors import DeskwatchError, UserError

logger = logging.getLogger(__name__)

SETTINGS = {
    "async_insert": 0,  # the answer says what is written, not what is accepted
    "max_partitions_per_insert_block": 0,  # a correction may reach back over years
    "input_format_null_as_default": 1,
    "input_format_json_named_tuples_as_objects": 0,  # a row's tuples are arrays, as the row is
    "input_format_json_compact_allow_variable_number_of_columns": 1,  # a row of another release: streams/models/rows.py
}
"""Settings of every insert."""

FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0
LOG_EVERY_S = 30.0

_FINAL_CODES = frozenset(FinalError)


class WriteError(UserError):
    """ClickHouse will never take these rows: one sentence with the table and what to do."""


class Stopped(DeskwatchError):
    """The writer was stopped before the rows were in: they may be missing."""


class Miscounted(DeskwatchError):
    """The server reported fewer rows written than it was sent."""


class Writer:
    """Writes batches, one at a time.

    `client` must not be used by another thread meanwhile. It may be a function that connects: then it is called at the
    first write, and a server that is away is waited for.
    Attributes for metrics: `rows`, `bytes`, `inserts`, `seconds` (in inserts that succeeded), `retries`.
    """

    def __init__(self, client: Client | Callable[[], Client], database: str, policies: Policies) -> None:
        self._client, self.database, self.policies = client, database, policies
        self.rows = self.bytes = self.inserts = self.retries = 0
        self.seconds = 0.0
        self._stopping = threading.Event()
        self._logged_at = -LOG_EVERY_S

    @property
    def client(self) -> Client:
        """The client, connected."""
        if callable(self._client):
            self._client = self._client()
        return self._client

    def stop(self) -> None:
        """Stop waiting for a server that is away; from any thread."""
        self._stopping.set()

    def write(self, batch: Batch) -> None:
        """Write all rows of a batch, progress last. Waits as long as it takes for a server that is away.

        Raises WriteError if ClickHouse refuses the rows for good, Stopped after `stop`.
        """
        for table in batch.tables():
            self._until_done(table, self._insert, table, batch.block(table), batch.counts[table])
        if batch.closed:
            self.write_calendars()

    def write_calendars(self) -> None:
        """Write the calendars of the policies, as closed by the events stored so far. Raises as `write` does."""
        self._until_done("calendar_rows", lambda: write_calendars(self.client, self.database, self.policies))

    def _until_done(self, table: str, act: Callable[..., None], *arguments: object) -> None:
        """Repeat it until it succeeds, or fails for good."""
        retrying = tenacity.Retrying(
            wait=tenacity.wait_exponential_jitter(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S),
            retry=tenacity.retry_if_exception(passes),
            stop=tenacity.stop_when_event_set(self._stopping),
            sleep=tenacity.sleep_using_event(self._stopping),
            before_sleep=self._log_wait,
            reraise=True,
        )
        try:
            retrying(act, *arguments)
        except (ClickHouseError, Miscounted) as error:
            if passes(error):
                raise Stopped(str(error)) from error
            raise WriteError(
                f"ClickHouse refuses rows for {self.database}.{table}: {in_one_line(error)} "
                "(is its schema up to date? `deskwatch migrate`)"
            ) from error

    def _insert(self, table: str, block: bytes, count: int) -> None:
        if self._stopping.is_set():
            raise Stopped
        started = time.monotonic()
        summary = self.client.raw_insert(
            f"`{self.database}`.`{table}`", COLUMNS[table], block, settings=SETTINGS, fmt="JSONCompactEachRow"
        )
        if summary.written_rows < count:  # more: rows of a materialized view count too
            raise Miscounted(f"ClickHouse wrote {summary.written_rows:,} of {count:,} rows to {table}")
        self.seconds += time.monotonic() - started
        self.inserts += 1
        self.rows += count
        self.bytes += len(block)

    def _log_wait(self, state: tenacity.RetryCallState) -> None:
        """Log that the writer waits: at once, then every half minute."""
        self.retries += 1
        now = time.monotonic()
        if now - self._logged_at >= LOG_EVERY_S and state.outcome is not None:
            self._logged_at = now
            error = state.outcome.exception()
            assert isinstance(error, Exception)
            logger.warning("ClickHouse does not take rows; waiting for it (nothing is lost): %s", in_one_line(error))


def passes(error: BaseException) -> bool:
    """Whether an insert that failed so may succeed later."""
    if isinstance(error, Miscounted):
        return True
    if isinstance(error, ProgrammingError):  # the driver is used wrongly
        return False
    return isinstance(error, ClickHouseError) and getattr(error, "code", None) not in _FINAL_CODES
