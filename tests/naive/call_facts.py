"""What a call counts, and how it stands: its row, its legs, where it waited."""

from typing import Any

from tests.naive.calls import Call
from tests.naive.legs import PARTS, milliseconds, part_ms

CallFact = tuple[int, dict[str, str], str, int]  # at, dimensions, counter, value
Row = dict[str, Any]


def call_facts(call: Call, as_of: int) -> list[CallFact]:
    """All that a call counts; one never offered counts nothing.

    "Queued = answered + abandoned + lost […] (over a period at whose ends nobody waits it equals offered -
    abandoned_ivr)". Reading: so a call that was answered and never ended is closed, but is not counted as lost.
    """
    offered = call.offered()
    if not offered:
        return []
    facts = [(offered.at, call.first(), "offered", 1)]
    facts += answered_facts(call) + abandoned_facts(call) + leg_facts(call)
    facts += [(event.at, call.where(event.place), "transferred", 1) for event in call.transfers()]  # from its queue
    lost_at = call.lost_at()
    if lost_at is not None and lost_at < as_of and not call.legs():
        facts.append((lost_at, call.first(), "lost", 1))
    return facts


def answered_facts(call: Call) -> list[CallFact]:
    """Answered once. "A derived wait counts against the target like a reported one." """
    answer = call.first_answer()
    if not answer:
        return []
    at, wait_ms = answer
    in_target = wait_ms <= call.desk.in_force(at).call_ms("answer_within", "20s")
    counts = {"answered": 1, "wait_ms": wait_ms, "answered_in_target": int(in_target)}
    return [(at, call.first(), counter, n) for counter, n in counts.items()]


def abandoned_facts(call: Call) -> list[CallFact]:
    """abandoned_ivr never reached the queue; the others are in target (<=) and short (<=) by their wait.

    Reading: an end that is an abandonment waited from the queue until then.
    """
    event = call.abandonment()
    if not event:
        return []
    if event.data.get("stage") == "ivr":
        return [(event.at, call.first(), "abandoned_ivr", 1)]
    wait_ms = max(0, event.at - call.queued_at())
    if "wait_s" in event.data:
        wait_ms = milliseconds(event.data["wait_s"])
    policy = call.desk.in_force(event.at)
    counts = {
        "abandoned": 1,
        "abandoned_in_target": int(wait_ms <= policy.call_ms("answer_within", "20s")),
        "short_abandoned": int(wait_ms <= policy.call_ms("short_abandon", "5s")),
    }
    return [(event.at, call.first(), counter, n) for counter, n in counts.items()]


def leg_facts(call: Call) -> list[CallFact]:
    """ "Talk, hold and wrap-up are the leg's queue's, team's and agent's; `legs` counts them", when each ends.

    "The call ends, once, with its last leg." Reading: under that leg's queue and team.
    """
    facts: list[CallFact] = []
    over = call.over()
    for leg in call.legs():
        if leg.end:
            dims = call.where(leg.place) | {"agent_id": leg.agent_id}
            counts = {"legs": 1} | {f"{part}_ms": part_ms(leg.end, part) for part in PARTS}
            counts["ended"] = int(over is not None and leg.end.place == over[1])
            facts += [(leg.end.at, dims, counter, n) for counter, n in counts.items()]
    return facts


def standing_row(call: Call, as_of: int) -> Row:
    """A call as it stands: where it is now, and what became of it."""
    answer, abandonment, over, lost_at = call.first_answer(), call.abandonment(), call.over(), call.lost_at()
    outcome = "answered" if call.legs() else "waiting"
    if abandonment:
        outcome = "abandoned_ivr" if abandonment.data.get("stage") == "ivr" else "abandoned"
    elif over:
        outcome = "ended"
    elif lost_at is not None and lost_at < as_of:
        outcome = "lost"
    where = call.where(None)
    return {
        "outcome": outcome if call.offered() else "",
        "queue": where["queue"],
        "team": where["team"],
        "answered_at": answer[0] if answer else None,
        "ended_at": over[0] if over and not abandonment else None,
    }


def leg_rows(call: Call) -> list[Row]:
    """The legs, numbered as they began, in the queue and team in force then."""
    rows: list[Row] = []
    for n, leg in enumerate(call.legs(), start=1):
        where = call.where(leg.place)
        row = {"leg": n, "queue": where["queue"], "team": where["team"], "agent_id": leg.agent_id}
        row |= {"began_at": leg.began_at, "ended_at": leg.end.at if leg.end else None}
        rows.append(row | {f"{part}_ms": part_ms(leg.end, part) if leg.end else 0 for part in PARTS})
    return rows


def wait_rows(call: Call, as_of: int) -> list[Row]:
    """Where it waited, from the voice menu's end until it was answered, abandoned or lost.

    "Who waits now, under the queue and team where it waits". Reading: after its first answer it waits no more.
    """
    if not call.offered():
        return []
    until = call.done_at(as_of)
    if call.legs():
        until = call.legs()[0].began_at
    moves = [event.at for event in call.transfers() if until is None or event.at < until]
    steps = sorted({call.queued_at(), *(at for at in moves if at > call.queued_at())})
    spans: list[Row] = []
    for n, at in enumerate(steps):
        to = steps[n + 1] if n + 1 < len(steps) else until
        where = call.where((at + 1, False, (at + 1, 0, (0, 0, b""), "", "")))
        if to is None or at < to:
            spans.append({"queue": where["queue"], "team": where["team"], "from_at": at, "to_at": to})
    return spans
