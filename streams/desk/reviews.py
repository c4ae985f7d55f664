"""Quality inspection: the sample of tickets, and the rows of the reviews about one subject.

A hash of the ticket's id draws the sample: the sample can be verified, but not chosen. A ticket is in the sample of
a share s if blake2b-64(ticket_id) < s x 2^64.
"""

from collections.abc import Callable, Sequence
from hashlib import blake2b

from streams.desk.output.tally import Tally
from streams.desk.surveys import About
from streams.models.dimensions import Dimensions
from streams.models.entities import ReviewRow
from streams.models.envelope import Event
from streams.models.rows import Identity, Row, fact_of
from streams.models.signals import ReviewCompleted

MILLION = 1_000_000


def in_sample(ticket_id: str, share_ppm: int) -> bool:
    """Whether a ticket is in the sample of `share_ppm` millionths."""
    drawn = int.from_bytes(blake2b(ticket_id.encode(), digest_size=8).digest(), "big")
    return drawn * MILLION < share_ppm << 64


def review_rows(
    subject: str, events: Sequence[Event], about: Callable[[int], About | None], tally: Tally
) -> dict[Identity, Row]:
    """All rows of the reviews about one subject: for each review id, the latest in business time counts.

    `events`, `about`: as in `surveys.survey_rows`. A review's missing team and agent are those of the ticket or call.
    The first review of a ticket counts in `tally` under the ticket's team, like its solving, even if it names another.
    """
    standing: dict[str, tuple[ReviewCompleted, About]] = {}
    for event in events:
        if isinstance(event, ReviewCompleted) and (stood := about(event.at)) is not None:
            if not standing and event.data.ticket_id:
                tally.count_review(event.at, stood.team, stood.channel, stood.segment, stood.category)
            standing[event.data.review_id] = event, stood
    rows: list[Row] = []
    for event, stood in standing.values():
        data = event.data
        team, agent_id = data.team or stood.team, data.agent_id or stood.agent_id
        counts = {"reviewed": 1, "passed" if data.passed else "failed": 1}
        dims = Dimensions(team, stood.channel, segment=stood.segment, category=stood.category)
        rows.append(fact_of("review", subject, (event.source, event.id), "reviewed", event.at, dims, agent_id, counts))
        rows.append(
            ReviewRow(
                subject,
                data.review_id,
                event.at,
                int(data.passed),
                data.score,
                int(bool(data.mystery)),
                list(data.errors or ()),
                data.ticket_id or "",
                data.call_id or "",
                agent_id,
                team,
                stood.channel,
                stood.segment,
                stood.category,
            )
        )
    return {row.identity(): row for row in rows}
