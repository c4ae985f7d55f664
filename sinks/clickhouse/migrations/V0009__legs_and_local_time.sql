-- Legs of calls, who ended a clock, events and surveys identified within topic and subject, local hours and days of the desk.

CREATE TABLE IF NOT EXISTS call_leg_rows (
    call_id String,
    leg Int64,
    queue LowCardinality(String),
    team LowCardinality(String),
    agent_id LowCardinality(String),
    began_at Int64,
    ended_at Nullable(Int64),
    talk_ms Int64,
    hold_ms Int64,
    wrapup_ms Int64,
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (call_id, leg);

ALTER TABLE ledger_rows ADD COLUMN IF NOT EXISTS by_agent LowCardinality(String);

-- By which rules of the fold the rows of a partition are; what a release with other rules changed when it took the
-- partition over; and the subjects, released by then, that keep rows of former rules.
ALTER TABLE progress_rows ADD COLUMN IF NOT EXISTS rules Int64 DEFAULT 1;

CREATE TABLE IF NOT EXISTS restatement_rows (
    stage LowCardinality(String),
    partition Int64,
    rules_from Int64,
    rules_to Int64,
    as_of Int64,
    subjects Int64,
    corrected Int64,
    withdrawn Int64,
    added Int64,
    kept Int64,
    refused Int64,
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (stage, partition, rules_to);

CREATE TABLE IF NOT EXISTS former_subject_rows (
    name String,
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY name;

CREATE OR REPLACE VIEW restatements AS
SELECT
    stage,
    partition,
    rules_from,
    rules_to,
    if(restatement_rows.as_of < 0, NULL, fromUnixTimestamp64Milli(restatement_rows.as_of, 'UTC')) AS as_of,
    subjects,
    corrected,
    withdrawn,
    added,
    kept,
    refused
FROM restatement_rows FINAL;

-- The desk's local time, in one row: stretches with one offset from UTC, each with the instants at which the quarter, the
-- hour and the day began that run at its start. Written with the calendars; empty: the desk is on UTC.
CREATE TABLE IF NOT EXISTS local_time_rows (
    name LowCardinality(String),
    froms Array(Int64),
    offsets Array(Int64),
    quarters Array(Int64),
    hours Array(Int64),
    days Array(Int64),
    version UInt64
) ENGINE = ReplacingMergeTree(version)
ORDER BY name;

-- An interval begins at `at` less the local clock's remainder; or, if that lies before the stretch, where the stretch says.
CREATE OR REPLACE VIEW local_time AS
SELECT 1 AS one, from_at, offset_ms, quarter_at, hour_at, day_at
FROM local_time_rows FINAL
ARRAY JOIN froms AS from_at, offsets AS offset_ms, quarters AS quarter_at, hours AS hour_at, days AS day_at;

-- Records that came after the release of their subject: they changed nothing.
CREATE TABLE IF NOT EXISTS released_rows (
    input_topic LowCardinality(String),
    partition Int32,
    `offset` Int64,
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (input_topic, partition, `offset`);
-- The subject within which (source, id) is an event's identity; '' in rows of an earlier release: its subject.
ALTER TABLE event_rows ADD COLUMN IF NOT EXISTS identified_in String AFTER received_at;

CREATE OR REPLACE VIEW events AS
SELECT
    source,
    id,
    type,
    fromUnixTimestamp64Milli(time_ms, 'UTC') AS time,
    subject,
    topic,
    partition,
    offset,
    body,
    fromUnixTimestamp64Milli(received_ms, 'UTC') AS received_at,
    released
FROM (
    SELECT source, id, type, event_rows.time AS time_ms, subject, topic, partition, offset, body,
        event_rows.received_at AS received_ms, if(identified_in = '', subject, identified_in) AS identity_subject,
        (topic, partition, offset) IN (SELECT input_topic, partition, offset FROM released_rows FINAL) AS released
    FROM event_rows FINAL
    WHERE (topic, partition, offset) NOT IN (SELECT topic, partition, offset FROM dead_letter_rows)
    -- Of one identity, within topic and subject, the earliest stands, by time, then by its bytes; not one that came
    -- after the release of its subject, if another came before.
    ORDER BY topic, identity_subject, source, id, released, event_rows.time, body, partition, offset
    LIMIT 1 BY topic, identity_subject, source, id
);

-- One clock cycle. Its state is that of its last transition that is one; its elapsed time is that of its last row, and
-- while it runs also the business time from that row's instant to as_of:
--
--     open            ####-----####-----####
--     last row           |elapsed_ms
--     as_of                              |
--     elapsed            ^^     ^^^^     ^      + before(as_of) - before(last row), before(t) as in calendars.py
CREATE OR REPLACE VIEW sla_outcomes AS
WITH
    ifNull((SELECT min(as_of) FROM progress_rows FINAL WHERE topic_name = 'sla-ledger'), 0) AS now_ms,
    clocks AS (
        SELECT
            ticket_id,
            metric,
            cycle,
            argMaxIf(
                (transition, ledger_rows.at, by_agent), seq,
                transition IN ('activated', 'paused', 'resumed', 'fulfilled', 'cancelled', 'reactivated')
            ) AS state,
            state.1 IN ('fulfilled', 'cancelled') AS ended,
            state.1 IN ('activated', 'resumed', 'reactivated') AS runs,
            max(transition = 'breached') AS breached,
            max(transition = 'exempted') AS exempted,
            argMax((
                ledger_rows.at, ledger_rows.started_at, elapsed_ms, target_ms, ledger_rows.due_at, policy,
                policy_version, calendar, team, channel, priority, kind, segment, category, product, agent_id
            ), seq) AS last,
            last.1 AS last_at,
            last.7 AS last_version,
            last.8 AS last_calendar
        FROM ledger_rows FINAL
        GROUP BY ticket_id, metric, cycle
    ),
    spans AS (
        SELECT policy_version, calendar, span.1 AS opens, span.2 AS closes, span.3 AS before
        FROM calendar_rows FINAL
        ARRAY JOIN arrayZip(opens_at, closes_at, before_ms) AS span
        WHERE opens <= now_ms
    ),
    totals AS (
        SELECT policy_version, calendar, argMax(before + least(now_ms, closes) - opens, opens) AS open_ms
        FROM spans
        GROUP BY policy_version, calendar
    )
SELECT
    ticket_id,
    metric,
    cycle,
    multiIf(
        state.1 = 'fulfilled', if(breached, 'late', 'met'),
        breached, 'breached',
        state.1 = 'cancelled', 'cancelled',
        state.1 = 'paused', 'paused',
        'running'
    ) AS outcome,
    exempted,
    fromUnixTimestamp64Milli(last.2, 'UTC') AS started_at,
    fromUnixTimestamp64Milli(last.5, 'UTC') AS due_at,
    if(ended, fromUnixTimestamp64Milli(state.2, 'UTC'), NULL) AS ended_at,
    reinterpret(
        last.3 + if(runs, greatest(0, open_ms - (before + least(last_at, closes) - opens)), 0), 'Decimal64(3)'
    ) AS elapsed_s,
    reinterpret(last.4, 'Decimal64(3)') AS target_s,
    fromUnixTimestamp64Milli(now_ms, 'UTC') AS as_of,
    last.6 AS policy,
    last_version AS policy_version,
    last_calendar AS calendar,
    last.9 AS team,
    last.10 AS channel,
    last.11 AS priority,
    last.12 AS kind,
    last.13 AS segment,
    last.14 AS category,
    last.15 AS product,
    last.16 AS agent_id,
    if(ended, state.3, '') AS ended_by
FROM clocks
LEFT JOIN totals ON last_version = totals.policy_version AND last_calendar = totals.calendar
ASOF LEFT JOIN spans ON last_version = spans.policy_version AND last_calendar = spans.calendar AND last_at >= opens
SETTINGS join_use_nulls = 0;

-- Talk, hold and wrap-up are a leg's: divide by `legs`.
CREATE OR REPLACE VIEW call_minutes AS
SELECT
    toDateTime(minute_s, 'UTC') AS minute,
    queue,
    team,
    segment,
    sums['offered'] AS offered,
    sums['abandoned_ivr'] AS abandoned_ivr,
    sums['answered'] AS answered,
    sums['answered_in_target'] AS answered_in_target,
    sums['abandoned'] AS abandoned,
    sums['abandoned_in_target'] AS abandoned_in_target,
    sums['short_abandoned'] AS short_abandoned,
    sums['lost'] AS lost,
    reinterpret(sums['wait_ms'], 'Decimal64(3)') AS wait_s,
    reinterpret(sums['talk_ms'], 'Decimal64(3)') AS talk_s,
    reinterpret(sums['hold_ms'], 'Decimal64(3)') AS hold_s,
    reinterpret(sums['wrapup_ms'], 'Decimal64(3)') AS wrapup_s,
    sums['ended'] AS ended,
    sums['transferred'] AS transferred,
    sums['legs'] AS legs
FROM (
    SELECT intDiv(at, 60000) * 60 AS minute_s, queue, team, segment, sumMap(counts) AS sums
    FROM fact_rows FINAL
    WHERE family = 'call'
    GROUP BY minute_s, queue, team, segment
)
WHERE arrayExists(number -> number != 0, mapValues(sums));

CREATE OR REPLACE VIEW call_legs AS
SELECT
    call_id,
    leg,
    queue,
    team,
    agent_id,
    fromUnixTimestamp64Milli(call_leg_rows.began_at, 'UTC') AS began_at,
    fromUnixTimestamp64Milli(call_leg_rows.ended_at, 'UTC') AS ended_at,
    reinterpret(talk_ms, 'Decimal64(3)') AS talk_s,
    reinterpret(hold_ms, 'Decimal64(3)') AS hold_s,
    reinterpret(wrapup_ms, 'Decimal64(3)') AS wrapup_s
FROM call_leg_rows FINAL;

-- The rows' own `subject` says what it is an id of ('ticket/7'), since a ticket and a call may have one id.
CREATE OR REPLACE VIEW surveys AS
SELECT
    multiIf(ticket_id != '', ticket_id, call_id != '', call_id, survey_id) AS subject,
    survey_id,
    metric,
    fromUnixTimestamp64Milli(survey_rows.offered_at, 'UTC') AS offered_at,
    fromUnixTimestamp64Milli(survey_rows.responded_at, 'UTC') AS responded_at,
    score,
    scale_min,
    scale_max,
    if(isNull(normalised), NULL, reinterpret(assumeNotNull(normalised), 'Decimal64(6)')) AS score_normalised,
    ticket_id,
    call_id,
    customer_id,
    agent_id,
    team,
    channel,
    segment,
    handled_by,
    if(mapContains(dimensions, 'attitude'), reinterpret(dimensions['attitude'], 'Decimal64(6)'), NULL) AS attitude,
    if(mapContains(dimensions, 'efficiency'), reinterpret(dimensions['efficiency'], 'Decimal64(6)'), NULL) AS efficiency,
    if(mapContains(dimensions, 'resolution'), reinterpret(dimensions['resolution'], 'Decimal64(6)'), NULL) AS resolution,
    if(mapContains(dimensions, 'transparency'), reinterpret(dimensions['transparency'], 'Decimal64(6)'), NULL)
        AS transparency
FROM survey_rows FINAL;

-- The live panes, added up over partitions and over the parts of a minute that was put away and opened again. `counts`
-- has every counter by its name. The dimension `agent` is by day: its minute is the first of the desk's local day.
CREATE OR REPLACE VIEW window_minutes AS
SELECT
    toDateTime(intDiv(minute_ms, 1000), 'UTC') AS minute,
    dimension,
    value,
    sums['created'] AS created,
    sums['replied'] AS replied,
    sums['solved'] AS solved,
    sums['closed'] AS closed,
    sums['reopened'] AS reopened,
    sums['transferred'] AS transferred,
    sums['reassigned'] AS reassigned,
    sums['first_response_met'] AS first_response_met,
    sums['first_response_breached'] AS first_response_breached,
    sums['first_response_late'] AS first_response_late,
    sums['first_response_cancelled'] AS first_response_cancelled,
    sums['first_response_exempted'] AS first_response_exempted,
    sums['next_response_met'] AS next_response_met,
    sums['next_response_breached'] AS next_response_breached,
    sums['next_response_late'] AS next_response_late,
    sums['next_response_cancelled'] AS next_response_cancelled,
    sums['next_response_exempted'] AS next_response_exempted,
    sums['resolution_met'] AS resolution_met,
    sums['resolution_breached'] AS resolution_breached,
    sums['resolution_late'] AS resolution_late,
    sums['resolution_cancelled'] AS resolution_cancelled,
    sums['resolution_exempted'] AS resolution_exempted,
    sums['offered'] AS offered,
    sums['abandoned_ivr'] AS abandoned_ivr,
    sums['answered'] AS answered,
    sums['answered_in_target'] AS answered_in_target,
    sums['abandoned'] AS abandoned,
    sums['abandoned_in_target'] AS abandoned_in_target,
    sums['short_abandoned'] AS short_abandoned,
    sums['lost'] AS lost,
    sums['ended'] AS ended,
    sums['legs'] AS legs,
    reinterpret(sums['wait_ms'], 'Decimal64(3)') AS wait_s,
    reinterpret(sums['talk_ms'], 'Decimal64(3)') AS talk_s,
    reinterpret(sums['hold_ms'], 'Decimal64(3)') AS hold_s,
    reinterpret(sums['wrapup_ms'], 'Decimal64(3)') AS wrapup_s,
    sums['csat_responses'] AS csat_responses,
    sums['csat_positive'] AS csat_positive,
    sums['csat_neutral'] AS csat_neutral,
    sums['csat_negative'] AS csat_negative,
    sums['nps_promoters'] AS nps_promoters,
    sums['nps_passives'] AS nps_passives,
    sums['nps_detractors'] AS nps_detractors,
    sums AS counts
FROM (
    SELECT
        pane_rows.minute AS minute_ms,
        key.dimension AS dimension,
        key.value AS value,
        mapFilter((name, number) -> number != 0, sumMap(pane.counts)) AS sums
    FROM pane_rows FINAL
    ARRAY JOIN counts AS pane
    ARRAY JOIN pane.keys AS key
    WHERE dimension != 'topic'
    GROUP BY minute_ms, dimension, value
)
WHERE notEmpty(sums);

-- Service level has several published formulas; all stand side by side. Each call counts in the hour in which it was
-- decided, queued = answered + abandoned + lost: so no share exceeds 1.
CREATE OR REPLACE VIEW service_levels AS
WITH
    1.959963984540054 AS z95,
    ((k, n, z) -> (k / n + z * z / (2 * n) + z * sqrt(greatest(k * (n - k), 0) / n / n / n + z * z / (4 * n * n)))
        / (1 + z * z / n)) AS wilson
SELECT
    hour,
    queue,
    offered,
    abandoned_ivr,
    answered + abandoned + lost AS queued,
    answered,
    answered_in_target,
    abandoned,
    abandoned_in_target,
    short_abandoned,
    lost,
    transferred,
    ended,
    queued AS answered_of_offered_n,
    answered_in_target / nullIf(answered_of_offered_n, 0) AS answered_of_offered,
    wilson(answered_in_target, nullIf(answered_of_offered_n, 0), -z95) AS answered_of_offered_low,
    wilson(answered_in_target, nullIf(answered_of_offered_n, 0), z95) AS answered_of_offered_high,
    answered AS answered_of_answered_n,
    answered_in_target / nullIf(answered_of_answered_n, 0) AS answered_of_answered,
    wilson(answered_in_target, nullIf(answered_of_answered_n, 0), -z95) AS answered_of_answered_low,
    wilson(answered_in_target, nullIf(answered_of_answered_n, 0), z95) AS answered_of_answered_high,
    answered + abandoned AS answered_of_answered_and_abandoned_n,
    answered_in_target / nullIf(answered_of_answered_and_abandoned_n, 0) AS answered_of_answered_and_abandoned,
    wilson(answered_in_target, nullIf(answered_of_answered_and_abandoned_n, 0), -z95) AS answered_of_answered_and_abandoned_low,
    wilson(answered_in_target, nullIf(answered_of_answered_and_abandoned_n, 0), z95) AS answered_of_answered_and_abandoned_high,
    answered + abandoned - short_abandoned AS answered_without_short_abandons_n,
    answered_in_target / nullIf(answered_without_short_abandons_n, 0) AS answered_without_short_abandons,
    wilson(answered_in_target, nullIf(answered_without_short_abandons_n, 0), -z95) AS answered_without_short_abandons_low,
    wilson(answered_in_target, nullIf(answered_without_short_abandons_n, 0), z95) AS answered_without_short_abandons_high,
    answered + abandoned AS hits_with_abandons_n,
    (answered_in_target + abandoned_in_target) / nullIf(hits_with_abandons_n, 0) AS hits_with_abandons,
    wilson(answered_in_target + abandoned_in_target, nullIf(hits_with_abandons_n, 0), -z95) AS hits_with_abandons_low,
    wilson(answered_in_target + abandoned_in_target, nullIf(hits_with_abandons_n, 0), z95) AS hits_with_abandons_high,
    abandoned / nullIf(queued, 0) AS abandon_rate,
    wilson(abandoned, nullIf(queued, 0), -z95) AS abandon_rate_low,
    wilson(abandoned, nullIf(queued, 0), z95) AS abandon_rate_high,
    wait_ms / nullIf(answered, 0) / 1000 AS asa_s,
    legs,
    handle_ms / nullIf(legs, 0) / 1000 AS aht_s
FROM (
    SELECT
        toDateTime(intDiv(
            if((fact.at - (fact.at + offset_ms) % 3600000 AS begun) >= from_at, begun, hour_at), 1000
        ), 'UTC') AS hour,
        queue,
        sumMap(counts) AS sums,
        sums['offered'] AS offered,
        sums['abandoned_ivr'] AS abandoned_ivr,
        sums['answered'] AS answered,
        sums['answered_in_target'] AS answered_in_target,
        sums['abandoned'] AS abandoned,
        sums['abandoned_in_target'] AS abandoned_in_target,
        sums['short_abandoned'] AS short_abandoned,
        sums['lost'] AS lost,
        sums['transferred'] AS transferred,
        sums['ended'] AS ended,
        sums['legs'] AS legs,
        sums['wait_ms'] AS wait_ms,
        sums['talk_ms'] + sums['hold_ms'] + sums['wrapup_ms'] AS handle_ms
    FROM (SELECT 1 AS one, at, queue, counts FROM fact_rows FINAL WHERE family = 'call') AS fact
    ASOF LEFT JOIN local_time ON fact.one = local_time.one AND fact.at >= local_time.from_at
    GROUP BY hour, queue
)
SETTINGS join_use_nulls = 0;

-- Surveys by metric. `rate` is positive / (positive + neutral + negative) = positive / n, between the bounds of the Wilson
-- score interval at 95 % (E. B. Wilson, JASA 22, 1927), with z = 1.959963984540054:
--
--     (p + z²/2n ± z √(p(1 - p)/n + z²/4n²)) / (1 + z²/n)
--
-- For nps, n counts all answers, and nps = % promoters - % detractors, from -100 to 100.
CREATE OR REPLACE VIEW satisfaction AS
WITH 1.959963984540054 AS z
SELECT
    hour,
    metric,
    team,
    channel,
    segment,
    offered,
    responses,
    if(metric = 'nps', promoters + passives + detractors, positive + neutral + negative) AS n,
    positive,
    neutral,
    negative,
    very_positive,
    if(metric = 'nps', NULL, positive / nullIf(n, 0)) AS rate,
    (rate + z * z / (2 * n) - z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))) / (1 + z * z / n) AS rate_low,
    (rate + z * z / (2 * n) + z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))) / (1 + z * z / n) AS rate_high,
    promoters,
    passives,
    detractors,
    if(metric = 'nps', 100 * (promoters - detractors) / nullIf(n, 0), NULL) AS nps,
    sums['score_sum'] / nullIf(responses, 0) / 1000000 AS score,
    sums['attitude_n'] AS attitude_n,
    sums['attitude_sum'] / nullIf(attitude_n, 0) / 1000000 AS attitude,
    sums['efficiency_n'] AS efficiency_n,
    sums['efficiency_sum'] / nullIf(efficiency_n, 0) / 1000000 AS efficiency,
    sums['resolution_n'] AS resolution_n,
    sums['resolution_sum'] / nullIf(resolution_n, 0) / 1000000 AS resolution,
    sums['transparency_n'] AS transparency_n,
    sums['transparency_sum'] / nullIf(transparency_n, 0) / 1000000 AS transparency
FROM (
    SELECT
        toDateTime(intDiv(
            if((fact.at - (fact.at + offset_ms) % 3600000 AS begun) >= from_at, begun, hour_at), 1000
        ), 'UTC') AS hour,
        metric,
        team,
        channel,
        segment,
        sumMap(counts) AS sums,
        sums['offered'] AS offered,
        sums['responses'] AS responses,
        sums['very_positive'] AS very_positive,
        sums['positive'] AS positive,
        sums['neutral'] AS neutral,
        sums['negative'] AS negative,
        sums['promoters'] AS promoters,
        sums['passives'] AS passives,
        sums['detractors'] AS detractors
    FROM (
        SELECT 1 AS one, at, metric, team, channel, segment, counts FROM fact_rows FINAL WHERE family = 'survey'
    ) AS fact
    ASOF LEFT JOIN local_time ON fact.one = local_time.one AND fact.at >= local_time.from_at
    GROUP BY hour, metric, team, channel, segment
)
SETTINGS join_use_nulls = 0;

-- The proof of quality inspection, by the desk's day of the last solving and the ticket's team: of the tickets in the sample
-- (drawn by their ids), how many were reviewed; and of all tickets, which share was.
CREATE OR REPLACE VIEW review_coverage AS
SELECT
    day,
    team,
    count() AS solved,
    countIf(sampled = 1) AS in_sample,
    countIf(sampled = 1 AND reviews > 0) AS in_sample_reviewed,
    countIf(reviews > 0) AS reviewed,
    in_sample_reviewed / nullIf(in_sample, 0) AS coverage,
    reviewed / nullIf(solved, 0) AS share,
    sum(passes) AS passed,
    sum(reviews) - passed AS failed,
    passed / nullIf(passed + failed, 0) AS pass_rate
FROM (
    SELECT
        toDate(intDiv(ticket.solved_ms + offset_ms, 86400000)) AS day,
        ticket.team AS team,
        ticket.sampled AS sampled,
        found.reviews AS reviews,
        found.passes AS passes
    FROM (
        SELECT 1 AS one, ticket_id, assumeNotNull(solved_at) AS solved_ms, team, sampled
        FROM ticket_rows FINAL
        WHERE solved_at IS NOT NULL
    ) AS ticket
    ASOF LEFT JOIN local_time ON ticket.one = local_time.one AND ticket.solved_ms >= local_time.from_at
    LEFT JOIN (
        SELECT ticket_id, count() AS reviews, countIf(passed = 1) AS passes
        FROM review_rows FINAL
        WHERE ticket_id != ''
        GROUP BY ticket_id
    ) AS found ON found.ticket_id = ticket.ticket_id
)
GROUP BY day, team
SETTINGS join_use_nulls = 0;

-- Callbacks by the desk's day on which they were promised, members apart: members are all to be called back.
CREATE OR REPLACE VIEW callback_coverage AS
SELECT
    toDate(intDiv(callback.opened_ms + offset_ms, 86400000)) AS day,
    member,
    count() AS promised,
    countIf(status = 'done') AS done,
    countIf(status = 'done' AND ifNull(callback.done_at <= callback.due_at, 1)) AS done_in_time,
    countIf(status = 'overdue') AS overdue,
    countIf(reached = 1) AS were_reached,
    countIf(reached = 1 AND recorded = 1) AS complete,
    done / promised AS done_share,
    done_in_time / promised AS in_time_share,
    complete / promised AS complete_share
FROM (
    SELECT 1 AS one, assumeNotNull(opened_at) AS opened_ms, member, status, done_at, due_at, reached, recorded
    FROM callback_rows FINAL
    WHERE opened_at IS NOT NULL
) AS callback
ASOF LEFT JOIN local_time ON callback.one = local_time.one AND callback.opened_ms >= local_time.from_at
GROUP BY day, member
SETTINGS join_use_nulls = 0;

-- Why customers make contact: tickets created, and calls that are about no ticket; by the desk's day. `change` is against the
-- same weekday a week before (0.5: half as many again).
CREATE OR REPLACE VIEW contact_reasons AS
WITH contacts AS (
    SELECT intDiv(contact.at + offset_ms, 86400000) AS day, category, count() AS number
    FROM (
        SELECT 1 AS one, at, category
        FROM fact_rows FINAL
        WHERE family = 'ticket' AND counter = 'created'
        UNION ALL
        SELECT 1 AS one, offered_at AS at, category
        FROM call_rows FINAL
        WHERE ticket_id = ''
    ) AS contact
    ASOF LEFT JOIN local_time ON contact.one = local_time.one AND contact.at >= local_time.from_at
    GROUP BY day, category
)
SELECT
    toDate(now_contacts.day) AS day,
    now_contacts.category AS category,
    now_contacts.number AS n,
    n / sum(now_contacts.number) OVER (PARTITION BY now_contacts.day) AS share,
    earlier.number AS n_week_before,
    n / nullIf(n_week_before, 0) - 1 AS change
FROM contacts AS now_contacts
LEFT JOIN (SELECT day + 7 AS day, category, number FROM contacts) AS earlier
    ON now_contacts.day = earlier.day AND now_contacts.category = earlier.category
SETTINGS join_use_nulls = 0;

-- By the desk's day of the last solving, of tickets that are solved. `one_touch`: with no more than one agent's public
-- reply (as Zendesk counts it). `reopened`: came back at least once.
CREATE OR REPLACE VIEW ticket_quality AS
WITH
    1.959963984540054 AS z95,
    ((k, n, z) -> (k / n + z * z / (2 * n) + z * sqrt(greatest(k * (n - k), 0) / n / n / n + z * z / (4 * n * n)))
        / (1 + z * z / n)) AS wilson
SELECT
    toDate(intDiv(ticket.solved_ms + offset_ms, 86400000)) AS day,
    team,
    channel,
    count() AS solved,
    countIf(replies <= 1) AS one_touch,
    one_touch / solved AS one_touch_share,
    wilson(one_touch, solved, -z95) AS one_touch_share_low,
    wilson(one_touch, solved, z95) AS one_touch_share_high,
    countIf(reopenings > 0) AS reopened,
    reopened / solved AS reopened_share,
    wilson(reopened, solved, -z95) AS reopened_share_low,
    wilson(reopened, solved, z95) AS reopened_share_high
FROM (
    SELECT 1 AS one, assumeNotNull(solved_at) AS solved_ms, team, channel, replies, reopenings
    FROM ticket_rows FINAL
    WHERE solved_at IS NOT NULL
) AS ticket
ASOF LEFT JOIN local_time ON ticket.one = local_time.one AND ticket.solved_ms >= local_time.from_at
GROUP BY day, team, channel
SETTINGS join_use_nulls = 0;

-- Complaints by the desk's day on which the tickets were created, among all contacts: tickets created, and calls that are
-- about no ticket.
CREATE OR REPLACE VIEW complaint_rates AS
WITH
    1.959963984540054 AS z95,
    ((k, n, z) -> (k / n + z * z / (2 * n) + z * sqrt(greatest(k * (n - k), 0) / n / n / n + z * z / (4 * n * n)))
        / (1 + z * z / n)) AS wilson
SELECT
    toDate(intDiv(contact.at + offset_ms, 86400000)) AS day,
    team,
    count() AS contacts,
    countIf(kind = 'complaint') AS complaints,
    1000 * complaints / contacts AS per_1000_contacts,
    1000 * wilson(complaints, contacts, -z95) AS per_1000_contacts_low,
    1000 * wilson(complaints, contacts, z95) AS per_1000_contacts_high
FROM (
    SELECT 1 AS one, at, team, kind
    FROM fact_rows FINAL
    WHERE family = 'ticket' AND counter = 'created'
    UNION ALL
    SELECT 1 AS one, offered_at AS at, team, '' AS kind
    FROM call_rows FINAL
    WHERE ticket_id = ''
) AS contact
ASOF LEFT JOIN local_time ON contact.one = local_time.one AND contact.at >= local_time.from_at
GROUP BY day, team
SETTINGS join_use_nulls = 0;

-- Satisfaction with people and with bots (`handled_by`; '': the survey does not say), by the desk's day of the answer.
-- `rate`, its Wilson bounds and `score` are those of the view satisfaction.
CREATE OR REPLACE VIEW satisfaction_by_handler AS
WITH
    1.959963984540054 AS z95,
    ((k, n, z) -> (k / n + z * z / (2 * n) + z * sqrt(greatest(k * (n - k), 0) / n / n / n + z * z / (4 * n * n)))
        / (1 + z * z / n)) AS wilson
SELECT
    toDate(on_day) AS day,
    metric,
    handled_by,
    sums['responses'] AS responses,
    if(metric = 'nps', sums['promoters'] + sums['passives'] + sums['detractors'],
        sums['positive'] + sums['neutral'] + sums['negative']) AS n,
    if(metric = 'nps', NULL, sums['positive']) AS positive,
    positive / nullIf(n, 0) AS rate,
    wilson(positive, nullIf(n, 0), -z95) AS rate_low,
    wilson(positive, nullIf(n, 0), z95) AS rate_high,
    if(metric = 'nps', 100 * (sums['promoters'] - sums['detractors']) / nullIf(n, 0), NULL) AS nps,
    sums['score_sum'] / nullIf(responses, 0) / 1000000 AS score
FROM (
    SELECT
        intDiv(fact.at + offset_ms, 86400000) AS on_day,
        metric,
        multiIf(counts['by_bot'] > 0, 'bot', counts['by_human'] > 0, 'human', '') AS handled_by,
        sumMap(counts) AS sums
    FROM (SELECT 1 AS one, at, metric, counts FROM fact_rows FINAL WHERE family = 'survey') AS fact
    ASOF LEFT JOIN local_time ON fact.one = local_time.one AND fact.at >= local_time.from_at
    GROUP BY on_day, metric, handled_by
)
WHERE responses > 0
SETTINGS join_use_nulls = 0;

-- Up to when a view says all that there is to say (`complete_until`: all partitions have come so far), and up to when it
-- says something (`provisional_until`: the first partition has).
CREATE OR REPLACE VIEW freshness AS
WITH
    written AS (
        SELECT splitByChar('/', progress_rows.topic_name)[1] AS topic_name, min(as_of) AS complete_at,
            max(as_of) AS provisional_at
        FROM progress_rows FINAL
        GROUP BY topic_name
    ),
    -- The events that the desk folded by its as_of, and those of them that are not stored yet.
    stored AS (
        SELECT
            least(min(folded.as_of), minIf(kept.as_of, kept.version < folded.next_offset)) AS behind_at,
            if(countIf(kept.version < folded.next_offset) > 0, behind_at, min(folded.as_of)) AS complete_at,
            max(kept.as_of) AS provisional_at
        FROM (
            SELECT partition, as_of, input.1 AS topic_name, input.2 AS next_offset
            FROM progress_rows FINAL
            ARRAY JOIN CAST(offsets AS Array(Tuple(String, Int64))) AS input
            WHERE progress_rows.topic_name = 'facts'
        ) AS folded
        LEFT JOIN (SELECT topic_name, partition, as_of, version FROM progress_rows FINAL) AS kept
            ON kept.topic_name = folded.topic_name AND kept.partition = folded.partition
    )
SELECT
    view,
    if(complete_at < 0, NULL, fromUnixTimestamp64Milli(complete_at, 'UTC')) AS complete_until,
    if(provisional_at < 0, NULL, fromUnixTimestamp64Milli(provisional_at, 'UTC')) AS provisional_until
FROM (
    SELECT view, complete_at, provisional_at
    FROM written
    ARRAY JOIN multiIf(
        topic_name = 'sla-ledger', ['sla_ledger', 'sla_outcomes', 'due_next'],
        topic_name = 'facts', [
            'ticket_minutes', 'call_minutes', 'survey_minutes', 'backlog_minutes', 'tickets', 'calls', 'call_legs',
            'surveys', 'reviews', 'callbacks', 'actions', 'agent_states', 'review_coverage', 'callback_coverage',
            'service_levels', 'satisfaction', 'contact_reasons', 'customers',
            'ticket_quality', 'complaint_rates', 'satisfaction_by_handler'
        ],
        topic_name = 'rollups', ['window_minutes', 'data_quality'],
        topic_name = 'risk-warnings', ['risk_warnings'],
        []
    ) AS view
    UNION ALL
    SELECT arrayJoin(['events', 'proactive_contacts']) AS view, complete_at, provisional_at FROM stored
)
SETTINGS join_use_nulls = 0;

-- What came in, by the desk's hour of business time (messages that are no events: of their arrival), and how long it took from
-- an event's business time to its row.
CREATE OR REPLACE VIEW data_quality AS
SELECT
    toDateTime(intDiv(arrived.hour_ms, 1000), 'UTC') AS hour,
    arrived.topic AS topic,
    sums['events'] AS events,
    sums['late'] AS late,
    sums['duplicates'] AS duplicates,
    sums['conflicts'] AS conflicts,
    sums['type_conflicts'] AS type_conflicts,
    sums['orphans'] AS orphans,
    sums['second_creations'] AS second_creations,
    sums['released'] AS released,
    sums['dead_letters'] AS dead_letters,
    sums['unknown'] AS unknown,
    sums['unknown_calendars'] AS unknown_calendars,
    if(delays.n = 0, NULL, reinterpret(delays.median_ms, 'Decimal64(3)')) AS delay_median_s,
    if(delays.n = 0, NULL, reinterpret(delays.p95_ms, 'Decimal64(3)')) AS delay_p95_s
FROM (
    SELECT
        if((quarter.at - (quarter.at + offset_ms) % 3600000 AS begun) >= from_at, begun, hour_at) AS hour_ms,
        topic,
        sumMap(quarter.counts) AS sums
    FROM (
        SELECT 1 AS one, pane_rows.minute AS at, key.value AS topic, pane.counts AS counts
        FROM pane_rows FINAL
        ARRAY JOIN counts AS pane
        ARRAY JOIN pane.keys AS key
        WHERE key.dimension = 'topic'
    ) AS quarter
    ASOF LEFT JOIN local_time ON quarter.one = local_time.one AND quarter.at >= local_time.from_at
    GROUP BY hour_ms, topic
) AS arrived
LEFT JOIN (
    SELECT
        if((event.at - (event.at + offset_ms) % 3600000 AS begun) >= from_at, begun, hour_at) AS hour_ms,
        topic,
        count() AS n,
        quantileExact(0.5)(stored_ms - event.at) AS median_ms,
        quantileExact(0.95)(stored_ms - event.at) AS p95_ms
    FROM (
        SELECT 1 AS one, event_rows.time AS at, topic, toUnixTimestamp64Milli(stored_at) AS stored_ms FROM event_rows FINAL
    ) AS event
    ASOF LEFT JOIN local_time ON event.one = local_time.one AND event.at >= local_time.from_at
    GROUP BY hour_ms, topic
) AS delays ON arrived.hour_ms = delays.hour_ms AND arrived.topic = delays.topic
WHERE arrayExists(number -> number != 0, mapValues(sums))
SETTINGS join_use_nulls = 0;
