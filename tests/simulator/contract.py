"""The table of events of the contract, in full: the required and optional data of each type."""

from datetime import datetime
from typing import Any

from streams.simulator.kernel import Event

TEXT, NUMBER, BOOL, TEXTS, OBJECT, TIME = "text", "number", "bool", "texts", "object", "time"
PRIORITY = {"low", "normal", "high", "urgent"}
KIND = {"question", "incident", "problem", "task", "complaint", "order"}
CHANNEL = {"phone", "chat", "email", "web", "social", "app", "api", "in_person"}
SEGMENT = {"new", "regular", "vip"}
SEVERITY = {"minor", "major", "critical"}
STATUS = {"new", "open", "pending", "on_hold", "solved", "closed"}
CLOCK = {"first_response", "next_response", "resolution"}
METRIC = {"csat", "nps", "ces", "resolution"}

Fields = dict[str, Any]
CALLBACK: Fields = {
    "customer_id": TEXT, "segment": SEGMENT, "due_at": TIME, "reached": BOOL, "recorded": BOOL, "ticket_id": TEXT,
}  # fmt: skip
ACTION: Fields = {"owner": TEXT, "due_at": TIME, "title": TEXT, "ticket_id": TEXT}
ABOUT: Fields = {"ticket_id": TEXT, "call_id": TEXT, "customer_id": TEXT}
CHANGES: Fields = {
    "priority": PRIORITY, "kind": KIND, "category": TEXT, "tags": TEXTS, "segment": SEGMENT, "severity": SEVERITY,
    "product": TEXT, "customer_id": TEXT,
}  # fmt: skip

# type: (required, optional)
TYPES: dict[str, tuple[Fields, Fields]] = {
    "ticket.created": (
        {"ticket_id": TEXT},
        {**CHANGES, "channel": CHANNEL, "team": TEXT, "agent_id": TEXT, "attributes": OBJECT, "url": TEXT,
         "parent_id": TEXT},
    ),
    "ticket.assigned": ({"ticket_id": TEXT}, {"team": TEXT, "agent_id": TEXT, "customer_id": TEXT}),
    "ticket.replied": (
        {"ticket_id": TEXT, "author": {"customer", "agent", "bot", "system"}},
        {"public": BOOL, "auto": BOOL, "agent_id": TEXT},
    ),
    "ticket.status_changed": ({"ticket_id": TEXT, "status": STATUS}, {"agent_id": TEXT, "reason": TEXT}),
    "ticket.updated": ({"ticket_id": TEXT}, CHANGES),
    "ticket.stage_changed": ({"ticket_id": TEXT, "stage": TEXT}, {"agent_id": TEXT}),
    "ticket.merged": ({"ticket_id": TEXT, "into": TEXT}, {}),
    "ticket.exempted": ({"ticket_id": TEXT, "metric": CLOCK, "by": TEXT, "reason": TEXT}, {"cycle": NUMBER}),
    "call.offered": (
        {"call_id": TEXT},
        {"customer_id": TEXT, "queue": TEXT, "team": TEXT, "segment": SEGMENT, "ivr_s": NUMBER, "ticket_id": TEXT,
         "category": TEXT},
    ),
    "call.answered": ({"call_id": TEXT, "wait_s": NUMBER}, {"agent_id": TEXT}),
    "call.abandoned": ({"call_id": TEXT, "wait_s": NUMBER}, {"stage": {"ivr", "queue", "ring"}}),
    "call.transferred": ({"call_id": TEXT}, {"to_queue": TEXT, "to_team": TEXT, "agent_id": TEXT}),
    "call.ended": ({"call_id": TEXT}, {"talk_s": NUMBER, "hold_s": NUMBER, "wrapup_s": NUMBER, "agent_id": TEXT}),
    "survey.offered": ({"survey_id": TEXT}, {"metric": METRIC, **ABOUT}),
    "survey.responded": (
        {"survey_id": TEXT, "metric": METRIC, "score": NUMBER, "scale_min": NUMBER, "scale_max": NUMBER},
        {**ABOUT, "agent_id": TEXT, "team": TEXT, "channel": CHANNEL, "segment": SEGMENT,
         "handled_by": {"human", "bot"}, "dimensions": OBJECT},
    ),
    "review.completed": (
        {"review_id": TEXT, "passed": BOOL},
        {"ticket_id": TEXT, "call_id": TEXT, "agent_id": TEXT, "team": TEXT, "score": NUMBER, "mystery": BOOL,
         "errors": TEXTS},
    ),
    "callback.due": ({"callback_id": TEXT}, CALLBACK),
    "callback.rescheduled": ({"callback_id": TEXT}, CALLBACK),
    "callback.done": ({"callback_id": TEXT}, CALLBACK),
    "contact.proactive": (
        {"contact_id": TEXT}, {"customer_id": TEXT, "agent_id": TEXT, "team": TEXT, "occasion": TEXT},
    ),
    "agent.state_changed": (
        {"agent_id": TEXT,
         "state": {"available", "on_contact", "wrapup", "break", "meal", "meeting", "training", "offline"}},
        {"team": TEXT},
    ),
    "policy.announced": (
        {"change_id": TEXT, "announced_at": TIME, "effective_at": TIME}, {"title": TEXT, "tags": TEXTS},
    ),
    "sentiment.scored": ({"score": NUMBER}, ABOUT),
    "customer.linked": ({"customer_id": TEXT, "other_id": TEXT}, {}),
    "evaluation.completed": (
        {"agent_id": TEXT, "rater": {"self", "peer", "manager", "customer"}, "score": NUMBER, "period": TEXT},
        {"scheme": TEXT},
    ),
    "action.opened": ({"action_id": TEXT}, ACTION),
    "action.done": ({"action_id": TEXT}, ACTION),
    "metric.reported": (
        {"name": TEXT, "value": NUMBER, "period": TEXT}, {"agent_id": TEXT, "team": TEXT, "unit": TEXT},
    ),
    "clock.advanced": ({"to": TIME}, {}),
    "desk.closed": ({"calendar": TEXT, "from": TIME, "to": TIME}, {"reason": TEXT}),
}  # fmt: skip


def faults(event: Event) -> list[str]:
    """What the contract does not allow in an event."""
    envelope = {"specversion": TEXT, "id": TEXT, "source": TEXT, "type": TEXT, "time": TIME, "subject": TEXT}
    found = [f"{name}: {event.get(name)!r}" for name, wanted in envelope.items() if not _fits(event.get(name), wanted)]
    required, optional = TYPES[event["type"]]
    data = event["data"]
    found += [f"{name} is missing" for name in required if name not in data]
    for name, value in data.items():
        wanted = required.get(name, optional.get(name))
        if wanted is None or not _fits(value, wanted):
            found.append(f"{name}: {value!r}")
    if event["subject"] != subject(event):
        found.append(f"subject: {event['subject']!r}")
    return found + _score_faults(event["type"], data)


def subject(event: Event) -> str:
    """Tickets and calls by their id; surveys and signals by the ticket or call they name, else by their own id."""
    data = event["data"]
    if event["type"] == "clock.advanced":
        return str(event["subject"])
    own = next(iter(TYPES[event["type"]][0]))
    named = data.get("ticket_id") or data.get("call_id")
    if event["type"].startswith("call."):
        named = data["call_id"]
    return str(named or data[own])


def _score_faults(type_: str, data: dict[str, Any]) -> list[str]:
    if type_ == "sentiment.scored":
        return [] if -1 <= data["score"] <= 1 else [f"score: {data['score']}"]
    if type_ != "survey.responded":
        return []
    low, high = data["scale_min"], data["scale_max"]
    scores = [data["score"], *data.get("dimensions", {}).values()]
    found = [f"score: {score} of {low}..{high}" for score in scores if not low <= score <= high]
    if low >= high or (data["metric"] == "nps" and (low, high) != (0, 10)):
        found.append(f"scale: {low}..{high}")
    return found


def _fits(value: object, wanted: object) -> bool:
    if isinstance(wanted, set):
        return value in wanted
    if wanted == TIME:
        when = datetime.fromisoformat(str(value))
        return isinstance(value, str) and when.tzinfo is not None and 1990 <= when.year <= 2100
    if wanted == TEXT:
        return isinstance(value, str) and value != ""
    if wanted == NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted == BOOL:
        return isinstance(value, bool)
    if wanted == TEXTS:
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, dict)
