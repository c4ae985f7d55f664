"""Random logs of few customers over four weeks, for the laws of the stage customers."""

from typing import Any

from hypothesis import strategies as st

from streams.models.instants import DAY, HOUR, format_instant
from tests.desk.logs import MONDAY

STEP = 6 * HOUR
STEPS = 100  # 25 days
AS_OF = MONDAY + 36 * DAY

_customer = st.sampled_from(["anna", "bela", "carl", "dora"])
_category = st.sampled_from(["tax", "post"])
_about = {"t": ["t1", "t2", "t3"], "c": ["c1", "c2", "c3"]}


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


def _all(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields)


_TEAM = st.sampled_from(["A", "B"])
_PROPERTIES = {
    "kind": st.sampled_from(["question", "complaint"]),
    "segment": st.sampled_from(["regular", "vip"]),
    "severity": st.sampled_from(["minor", "major", "critical"]),
    "tags": st.lists(st.sampled_from(["12315", "tax", "misc"]), max_size=2, unique=True),
    "category": _category,
    "customer_id": _customer,
}
EVENTS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "ticket.created": _some(team=_TEAM, **_PROPERTIES),
    "ticket.assigned": _some(team=_TEAM, customer_id=_customer),
    "ticket.updated": _some(**_PROPERTIES),
    "ticket.replied": _all(author=st.sampled_from(["agent", "customer"])),
    "ticket.status_changed": _all(status=st.sampled_from(["open", "pending", "solved", "closed"])),
    "ticket.merged": _all(into=st.just("t9")),
    "call.offered": _some(customer_id=_customer, category=_category, segment=_PROPERTIES["segment"],
                          ticket_id=st.sampled_from(_about["t"])),
    "call.answered": _all(wait_s=st.just(5)) ,
    "call.abandoned": _all(wait_s=st.just(60)),
    "call.ended": st.fixed_dictionaries({"talk_s": st.just(60)}, optional={"customer_id": _customer}),
    "survey.responded": st.fixed_dictionaries(
        {"metric": st.just("csat"), "score": st.integers(1, 5), "scale_min": st.just(1), "scale_max": st.just(5)},
        optional={"customer_id": _customer, "ticket_id": st.sampled_from(_about["t"])},
    ),
    "sentiment.scored": st.fixed_dictionaries(
        {"score": st.sampled_from([-1.0, -0.5, 0.5])},
        optional={"customer_id": _customer, "ticket_id": st.sampled_from(_about["t"]),
                  "call_id": st.sampled_from(_about["c"])},
    ),
    "customer.linked": _all(customer_id=_customer, other_id=_customer),
    "policy.announced": _all(change_id=st.sampled_from(["n1", "n2"]), tags=st.lists(_category, max_size=2)),
}  # fmt: skip
_LIKELY = ["ticket.created", "ticket.created", "ticket.status_changed", "ticket.status_changed", "call.offered"]


@st.composite
def _event(draw: st.DrawFn) -> tuple[str, int, dict[str, Any]]:
    kind = draw(st.sampled_from(_LIKELY + list(EVENTS)))
    steps, data = draw(st.integers(0, STEPS)), draw(EVENTS[kind])
    family = kind.partition(".")[0]
    if family in ("ticket", "call"):
        data[f"{family}_id"] = draw(st.sampled_from(_about[family[0]]))
    elif family == "survey":
        data["survey_id"] = draw(st.sampled_from(["s1", "s2"]))
    elif family == "policy":
        data["announced_at"] = format_instant(MONDAY)
        data["effective_at"] = format_instant(MONDAY + draw(st.integers(0, STEPS)) * STEP)
    return kind, steps, data


@st.composite
def logs(draw: st.DrawFn, least: int = 1) -> list[dict[str, Any]]:
    """A log in order of time."""
    drawn = sorted(draw(st.lists(_event(), min_size=least, max_size=30)), key=lambda event: event[1])
    return [
        {
            "specversion": "1.0",
            "id": f"e{n}",
            "source": "test",
            "type": kind,
            "time": format_instant(MONDAY + steps * STEP),
            "data": data,
        }
        for n, (kind, steps, data) in enumerate(drawn)
    ]


POLICY = """
version = "{version}"
{effective_from}
timezone = "UTC"
[calendars.always]
hours = "24x7"
[clocks]
first_response = {{ pause_on = [] }}
next_response = {{ pause_on = ["pending"] }}
resolution = {{ pause_on = ["pending"], reopen = "exclude_closed_time" }}
[[sla]]
name = "all"
calendar = "always"
warn_at = 0.5
first_response = "12h"
resolution = "5d"
silence = "2d"
[windows]
hold = "{hold}"
[[rules]]
rule = "complaint.risk"
severity = "critical"
cooldown = "{cooldown}"
[risk_index]
sla_share = {{ points = 10, half_life = "24h", cap = 20 }}
breach = {{ points = 20, half_life = "72h", cap = 40 }}
silence = {{ points = 10, half_life = "72h", cap = 20 }}
transfer = {{ points = 5, half_life = "72h", cap = 15 }}
reopening = {{ points = 15, half_life = "7d", cap = 30 }}
repeat_contact = {{ points = 10, half_life = "7d", cap = 30 }}
abandoned_call = {{ points = 8, half_life = "72h", cap = 24 }}
low_survey = {{ points = 20, half_life = "14d", cap = 40 }}
negative_sentiment = {{ points = 10, half_life = "72h", cap = 30 }}
complaint = {{ points = 25, half_life = "14d", cap = 50 }}
severity = {{ points = 20, half_life = "14d", cap = 40 }}
keyword = {{ points = 25, half_life = "14d", cap = 50 }}
policy_change = {{ points = 8, half_life = "72h", cap = 16 }}
keywords = ["12315"]
policy_change_for = "5d"
vip_factor = 1.5
raise_at = {raise_at}
clear_at = {clear_at}
"""


@st.composite
def policies(draw: st.DrawFn, hold: str = "90d") -> list[str]:
    """One or two versions of a policy that warns early, as TOML."""
    return [
        POLICY.format(
            version=f"v{n}",
            effective_from="" if n == 0 else f'effective_from = "{format_instant(MONDAY + 9 * DAY + n)}"',
            hold=hold,
            cooldown=draw(st.sampled_from(["1h", "24h", "72h"])),
            raise_at=draw(st.sampled_from([30, 45])),
            clear_at=draw(st.sampled_from([0, 10, 25])),
        )
        for n in range(draw(st.integers(1, 2)))
    ]
