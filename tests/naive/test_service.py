"""Service levels: worked examples, and what must hold whatever the calls."""

from fractions import Fraction
from random import Random

from tests.naive.cases import of
from tests.naive.desk import Row, at, call, policy, totals
from tests.naive.fold import fold

HALF = Fraction(1, 2)
SHARES = (
    *("answered_of_offered", "answered_of_answered", "answered_of_answered_and_abandoned"),
    *("answered_without_short_abandons", "hits_with_abandons"),
)


def test_all_variants() -> None:
    """
    answered after 10 s, after 60 s; abandoned after 5 s (short, in target), after 15 s (in target); one lost
    """
    log: list[Row] = []
    for n, wait_s in enumerate((10, 60)):
        log += [call(n, "offered", call_id=f"A{n}"), call(n + 1, "answered", call_id=f"A{n}", wait_s=wait_s)]
        log += [call(n + 3, "ended", call_id=f"A{n}", talk_s=60, hold_s=10, wrapup_s=20 + 10 * n)]
    for n, wait_s in enumerate((5, 15)):
        log += [call(n, "offered", call_id=f"B{n}"), call(n + 1, "abandoned", call_id=f"B{n}", wait_s=wait_s)]
    log.append(call(0, "offered", call_id="L"))
    first, lost = fold(log, [policy()], at(300))["service_levels"]
    assert (first["offered"], first["queued"], lost["lost"], lost["queued"]) == (5, 4, 1, 1)
    assert first["answered_of_offered"] == Fraction(1, 4)
    assert first["answered_of_answered"] == HALF
    assert first["answered_of_answered_and_abandoned"] == Fraction(1, 4)
    assert first["answered_without_short_abandons"] == Fraction(1, 3)
    assert first["hits_with_abandons"] == Fraction(3, 4)
    assert (first["asa_ms"], first["aht_ms"]) == (35_000, 95_000)
    assert lost["answered_of_offered"] == 0
    assert lost["answered_of_answered"] is None


def random_calls(random: Random) -> list[Row]:
    """Events of three calls at few instants, in any order, with agents named or not."""
    log: list[Row] = []
    for n in range(random.randint(1, 14)):
        kind = random.choice(["offered", "offered", "answered", "abandoned", "transferred", "ended", "ended"])
        data: Row = {"call_id": random.choice("ABC")}
        if kind == "offered":
            data |= {"queue": random.choice(["q", "r"]), "ivr_s": random.choice([0, 30])}
        elif kind == "abandoned":
            data |= {"wait_s": random.choice([3, 20, 60]), "stage": random.choice(["ivr", "queue", "ring"])}
        elif kind == "transferred":
            data |= {"to_queue": random.choice(["q", "r"]), "to_team": random.choice(["a", "b"])}
        elif kind == "answered":
            data["wait_s"] = random.choice([3, 20, 60])
        else:
            data["talk_s"] = random.choice([0, 0, 60, 90.5])
        if kind in ("answered", "ended") and random.random() < 0.5:
            data["agent_id"] = random.choice(["ann", "bob"])
        log.append(call(random.randint(0, 20) * 10, kind, f"e{n}", **data))
    return log


def test_whatever_the_calls() -> None:
    """
    once all is over, each call offered was left in the menu, answered, abandoned or lost, and in one way only
    """
    for seed in range(300):
        hold_the_laws(Random(seed))


def hold_the_laws(random: Random) -> None:
    """Order and repetition change nothing; the parts of the service level are the whole."""
    log = random_calls(random)
    tables = fold(log, [policy()], at(10_000))
    again = fold(random.sample([*log, *log], 2 * len(log)), [policy()], at(10_000))
    assert all(again[name] == tables[name] for name in tables if name != "data_quality")
    n = dict.fromkeys(("offered", "abandoned_ivr", "answered", "abandoned", "lost", "legs", "ended"), 0)
    n |= totals(tables["call_minutes"])
    assert n["answered"] + n["abandoned"] + n["lost"] == n["offered"] - n["abandoned_ivr"]
    assert n["legs"] == len([row for row in tables["call_legs"] if row["ended_at"] is not None])
    assert n["ended"] == len(of(tables["calls"], "call_id", outcome="ended"))
    for row in tables["service_levels"]:
        assert all(row[name] is None or 0 <= row[name] <= 1 for name in SHARES)
    ends = [row for row in log if row["type"] == "call.ended" and row["data"]["talk_s"]]
    assert n.get("talk_ms", 0) <= sum(round(row["data"]["talk_s"] * 1000) for row in ends)
    assert all(row["to_at"] is None or row["from_at"] < row["to_at"] for row in tables["call_waits"])
