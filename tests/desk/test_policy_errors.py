"""A wrong policy stops the start: one sentence with the file, the key and what was expected."""

import pytest

from streams.desk.policy.file import PolicyError
from streams.desk.policy.versions import parse

TEXT = """
version = "v"
timezone = "UTC"
effective_from = "2026-11-22T00:00:00+08:00"
[calendars.always]
hours = "24x7"
[calendars.office]
holidays = "CN"
[calendars.office.hours]
mon = ["09:00-12:00", "13:30-18:00"]
[clocks]
first_response = { pause_on = [] }
resolution = { pause_on = ["pending"], reopen = "continue" }
[[sla]]
name = "vip"
match = { kind = ["complaint"] }
calendar = "always"
warn_at = 0.75
first_response = "15m"
resolution = { urgent = "2h", high = "4h" }
silence = "24h"
[[sla]]
name = "rest"
calendar = "office"
resolution = "8h"
[calls]
answer_within = "20s"
service_level = "answered_of_offered"
[csat]
positive_from = 0.75
negative_to = 0.5
[windows]
rolling = ["5m", "1h"]
[goals]
csat = { goal = 0.95 }
[[rules]]
rule = "csat.low"
window = "1h"
raise_at = 0.8
clear_at = 0.9
min_n = 20
[[rules]]
rule = "breach_rate.high"
raise_at = 0.2
clear_at = 0.1
[risk_index]
breach = { points = 20, half_life = "72h", cap = 40 }
raise_at = 60
clear_at = 40
[[escalation]]
severity = ["critical"]
steps = [ { after = "0m", to = "lead" } ]
[receivers]
lead = { url_env = "LEAD_URL", hours = "office" }
[rotas.night]
otherwise = "lead"
shifts = [ { days = ["sun"], hours = "22:00-06:00", to = "lead" } ]
[scorecard]
csat = 0.4
"""

DURATION = "expected a duration such as 90s, 15m, 8h, 2d, 3wd or 15cd (10 years at most)"
LENGTH = "expected a length of time such as 20s, 15m, 24h or 90cd (10 years at most)"
INTERVAL = 'expected an interval such as "09:00-12:30", "22:00-06:00" or "00:00-24:00"'
COUNTRY = 'expected an ISO country such as "CN" or "DE-BY", or a date such as "2026-10-01"'
MATCH_KEYS = "priority, kind, channel, team, category, segment, product, tags"
UNKNOWN = "this one is unknown"
FILE_KEYS = (
    "version, timezone, effective_from, calendars, clocks, sla, calls, csat, windows, callbacks, "
    "agents, quality, goals, rules, risk_index, "
    "escalation, receivers, rotas, experts, scorecard"
)
SLA_KEYS = "name, calendar, match, warn_at, first_response, next_response, resolution, silence"

WRONG = [
    # the file
    ('version = "v"', "", "version: expected a value, but the key is missing"),
    ('version = "v"', "version = 3", "version: expected text, found whole number"),
    ('version = "v"', 'version = ""', "version: expected text of length >= 1"),
    ('timezone = "UTC"', "", "timezone: expected a value, but the key is missing"),
    ('"UTC"', '"Asia/Shangai"', 'timezone: expected a time zone such as "Asia/Shanghai", found "Asia/Shangai"'),
    ('"UTC"', '"Asia"', 'timezone: expected a time zone such as "Asia/Shanghai", found "Asia"'),
    (
        "T00:00:00+08:00",
        "",
        'effective_from: expected a time with its offset such as "2026-11-22T00:00:00+08:00", found "2026-11-22"',
    ),
    (
        "+08:00",
        "",
        'effective_from: expected a time with its offset such as "2026-11-22T00:00:00+08:00", '
        'found "2026-11-22T00:00:00"',
    ),
    ('version = "v"', "version = ", "expected TOML, but: Invalid value (at line 2, column 11)"),
    ("[windows]", "[window]", f"window: expected one of the keys {FILE_KEYS}; {UNKNOWN}"),
    # calendars
    ('hours = "24x7"', 'hours = "24/7"', 'calendars.always.hours: expected one of 24x7, a table; found "24/7"'),
    ('hours = "24x7"', "hours = 24", "calendars.always.hours: expected text or table, found whole number"),
    ('hours = "24x7"', "", "calendars.always.hours: expected a value, but the key is missing"),
    (
        'hours = "24x7"',
        'hours = "24x7"\nholidays = "CN"',
        "calendars.always.holidays: expected opening hours by weekday beside it, found 24x7",
    ),
    (
        "mon = [",
        "monday = [",
        f"calendars.office.hours.monday: expected one of the keys mon, tue, wed, thu, fri, sat, sun; {UNKNOWN}",
    ),
    ("13:30-18:00", "13:30-25:00", f'calendars.office.hours.mon[1]: {INTERVAL}, found "13:30-25:00"'),
    (
        'mon = ["09:00-12:00", "13:30-18:00"]',
        "mon = []",
        "calendars.office.hours: expected at least one interval of opening hours in the week, found none",
    ),
    ('holidays = "CN"', 'holidays = "China"', f'calendars.office.holidays: {COUNTRY}, found "China"'),
    ('holidays = "CN"', 'holidays = "DE-XX"', f'calendars.office.holidays: {COUNTRY}, found "DE-XX"'),
    (
        'holidays = "CN"',
        'holidays = ["2026-02-30"]',
        'calendars.office.holidays: expected a date such as "2026-10-01", found "2026-02-30"',
    ),
    ('holidays = "CN"', "holidays = 7", "calendars.office.holidays: expected a text or a list of them, found 7"),
    (
        'holidays = "CN"',
        'extra_working_days = "CN"',
        'calendars.office.extra_working_days: expected a date such as "2026-10-01", found "CN"',
    ),
    (
        'holidays = "CN"',
        'holidays = "2026-10-01"\nextra_working_days = "2026-10-01"',
        "calendars.office.holidays: expected 2026-10-01 to be either a holiday or an extra working day, found both",
    ),
    (
        'holidays = "CN"',
        'timezone = "Moon"',
        'calendars.office.timezone: expected a time zone such as "Asia/Shanghai", found "Moon"',
    ),
    # clocks
    (
        "first_response = { pause",
        "first_reply = { pause",
        "clocks.first_reply: expected one of the keys first_response, next_response, resolution; this one is unknown",
    ),
    (
        "pause_on = []",
        'pause_on = ["solved"]',
        'clocks.first_response.pause_on[0]: expected one of new, on_hold, open, pending; found "solved"',
    ),
    (
        "pause_on = []",
        'pause_on = [], reopen = "continue"',
        "clocks.first_response.reopen: expected one of the keys pause_on; this one is unknown",
    ),
    (
        '"continue"',
        '"go_on"',
        'clocks.resolution.reopen: expected one of continue, exclude_closed_time, restart_cycle; found "go_on"',
    ),
    # SLAs
    (
        'first_response = "15m"',
        'first_reply = "15m"',
        f"sla[0].first_reply: expected one of the keys {SLA_KEYS}; {UNKNOWN}",
    ),
    ('name = "rest"\n', "", "sla[1].name: expected a value, but the key is missing"),
    ('name = "rest"', 'name = "vip"', 'sla[1].name: expected each name once, found "vip" again'),
    (
        'calendar = "office"',
        'calendar = "offce"',
        'sla[1].calendar: expected one of the calendars always, office; found "offce"',
    ),
    ("kind = [", "kinds = [", f"sla[0].match.kinds: expected one of the keys {MATCH_KEYS}; this one is unknown"),
    ('["complaint"]', '[""]', "sla[0].match.kind[0]: expected text of length >= 1"),
    ('["complaint"]', '"complaint"', "sla[0].match.kind: expected list, found text"),
    ('["complaint"]', "[]", "sla[0].match.kind: expected list of length >= 1"),
    ("warn_at = 0.75", "warn_at = 0", "sla[0].warn_at: expected a share above 0 and up to 1, found 0"),
    ("warn_at = 0.75", "warn_at = 1.01", "sla[0].warn_at: expected a share from 0 to 1, found 1.01"),
    ("warn_at = 0.75", "warn_at = nan", "sla[0].warn_at: expected a finite number, found nan"),
    ("warn_at = 0.75", "warn_at = true", "sla[0].warn_at: expected a share from 0 to 1, found True"),
    ('"15m"', '"15 min"', f'sla[0].first_response: {DURATION}, found "15 min"'),
    ('"15m"', '"0m"', f'sla[0].first_response: {DURATION}, found "0m"'),
    ('"15m"', '"99999999h"', f'sla[0].first_response: {DURATION}, found "99999999h"'),
    ('"15m"', "15", f"sla[0].first_response: {DURATION}, found 15"),
    ('urgent = "2h"', 'urgent = "2 h"', f'sla[0].resolution.urgent: {DURATION}, found "2 h"'),
    (
        "urgent",
        "critical",
        f"sla[0].resolution.critical: expected one of the keys urgent, high, normal, low; {UNKNOWN}",
    ),
    ('silence = "24h"', 'silence = "a\\nb"', f'sla[0].silence: {DURATION}, found "a b"'),
    ("raise_at = 0.2", "raise_at = inf", "rules[1].raise_at: expected a finite number, found inf"),
    ('silence = "24h"', 'silence = "x"', f'sla[0].silence: {DURATION}, found "x"'),
    (
        '"8h"',
        '"2d"',
        'sla[1].resolution: expected hours, wd or cd, found "2d": days are plain only in a 24x7 calendar, '
        'and "office" is not one',
    ),
    # figures
    ('"20s"', '"20wd"', f'calls.answer_within: {LENGTH}, found "20wd"'),
    (
        "answered_of_offered",
        "answered",
        "calls.service_level: expected one of answered_of_answered, "
        "answered_of_answered_and_abandoned, answered_of_offered, answered_without_short_abandons, hits_with_abandons; "
        'found "answered"',
    ),
    ("negative_to = 0.5", "negative_to = 0.75", "csat.negative_to: expected less than positive_from"),
    ("negative_to = 0.5", "very_positive_from = 0.7", "csat.very_positive_from: expected at least positive_from"),
    ('"5m", "1h"', '"1h", "90s"', "windows.rolling[1]: expected a whole number of minutes, each window once"),
    ('"5m", "1h"', '"1h", "60m"', "windows.rolling[1]: expected a whole number of minutes, each window once"),
    ('"5m", "1h"', '"5m", "1 h"', f'windows.rolling[1]: {LENGTH}, found "1 h"'),
    (
        "{ goal = 0.95 }",
        "{ gaol = 0.95 }",
        f"goals.csat.gaol: expected one of the keys goal, industry, benchmark; {UNKNOWN}",
    ),
    ("{ goal = 0.95 }", "0.95", "goals.csat: expected table, found number"),
    # warnings
    ('"csat.low"', '"csat.lo"', "rules[0].rule: expected one of "),
    ('window = "1h"', 'window = "2h"', "rules[0].window: expected one of the windows of windows.rolling"),
    ("clear_at = 0.9", "clear_at = 0.7", "rules[0].clear_at: expected more than raise_at (0.8), found 0.7"),
    ("clear_at = 0.1", "clear_at = 0.3", "rules[1].clear_at: expected less than raise_at (0.2), found 0.3"),
    ("raise_at = 0.2", "", "rules[1].raise_at: expected a value beside clear_at, but the key is missing"),
    ("min_n = 20", 'min_n = "20"', "rules[0].min_n: expected whole number, found text"),
    ("min_n = 20", "min_n = -1", "rules[0].min_n: expected whole number >= 0"),
    ("clear_at = 40", "clear_at = 60", "risk_index.clear_at: expected less than raise_at (60), found 60"),
    ("breach = {", "breech = {", "risk_index.breech: expected one of the keys "),
    ('half_life = "72h"', 'half_life = "0h"', "risk_index.breach.half_life: expected more than 0"),
    ("points = 20", "points = 0", "risk_index.breach.points: expected number > 0.0"),
    ('after = "0m"', "after = 0", f"escalation[0].steps[0].after: {LENGTH}, found 0"),
    ('"critical"', '"bad"', 'escalation[0].severity[0]: expected one of critical, info, warning; found "bad"'),
    (
        'hours = "office"',
        'hours = "day"',
        'receivers.lead.hours: expected one of the calendars always, office; found "day"',
    ),
    ('to = "lead"', 'to = "leda"', 'escalation[0].steps[0].to: expected one of lead, night, experts; found "leda"'),
    ('to = "lead"', 'to = "experts"', "escalation[0].steps[0].to: expected a table [experts] in the file, found none"),
    ('otherwise = "lead"', 'otherwise = "x"', 'rotas.night.otherwise: expected one of lead; found "x"'),
    (
        'hours = "22:00-06:00"',
        'hours = "22-6"',
        'rotas.night.shifts[0].hours: expected an interval such as "09:00-12:30", "22:00-06:00" or "00:00-24:00", '
        'found "22-6"',
    ),
    ('days = ["sun"]', 'days = ["son"]', "rotas.night.shifts[0].days[0]: expected one of "),
    ("lead = {", "night = {", "receivers.night: expected a name that no rota has, and not the word experts"),
    (
        "[rotas.night]",
        '[experts]\nnet = { tags = ["net"], members = ["x"] }\n[rotas.night]',
        'experts.net.members[0]: expected one of lead; found "x"',
    ),
    ('url_env = "LEAD_URL", ', "", "receivers.lead.url_env: expected a value, but the key is missing"),
    ("csat = 0.4", "csat = 0.5", "scorecard: expected weights whose sum is 1"),
]


def test_the_text_itself_is_right() -> None:
    assert parse(TEXT, "desk.toml").version == "v"


@pytest.mark.parametrize(("right", "wrong", "expected"), WRONG, ids=[expected.split(": ")[0] for *_, expected in WRONG])
def test_the_sentence(right: str, wrong: str, expected: str) -> None:
    assert right in TEXT
    with pytest.raises(PolicyError) as raised:
        parse(TEXT.replace(right, wrong, 1), "desk.toml")
    sentence = str(raised.value)
    assert sentence.startswith(f"desk.toml: {expected}")
    assert sentence == f"desk.toml: {expected}" or expected.endswith((" of ", " keys "))
    assert "\n" not in sentence


def test_the_error_keeps_file_and_key() -> None:
    with pytest.raises(PolicyError) as raised:
        parse(TEXT.replace('"8h"', '"8"'), "desk.toml")
    assert (raised.value.file, raised.value.key) == ("desk.toml", "sla[1].resolution")
