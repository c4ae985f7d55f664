-- The views that BI reads: the rows that stand, with times for instants and seconds for ms. Sums are over integers, so no
-- figure depends on the order in which rows came. `reinterpret(ms, 'Decimal64(3)')` is ms as seconds, exactly.
-- `as_of` is the instant up to which all partitions have written.

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
    fromUnixTimestamp64Milli(received_ms, 'UTC') AS received_at
FROM (
    SELECT source, id, type, event_rows.time AS time_ms, subject, topic, partition, offset, body,
        event_rows.received_at AS received_ms
    FROM event_rows FINAL
    WHERE (topic, partition, offset) NOT IN (SELECT topic, partition, offset FROM dead_letter_rows)
    -- Of one identity the earliest stands: by time, then by its bytes.
    ORDER BY source, id, event_rows.time, body, topic, partition, offset
    LIMIT 1 BY source, id
);

CREATE OR REPLACE VIEW sla_ledger AS
SELECT
    ticket_id,
    metric,
    cycle,
    seq,
    transition,
    fromUnixTimestamp64Milli(ledger_rows.at, 'UTC') AS at,
    fromUnixTimestamp64Milli(ledger_rows.started_at, 'UTC') AS started_at,
    reinterpret(elapsed_ms, 'Decimal64(3)') AS elapsed_s,
    reinterpret(target_ms, 'Decimal64(3)') AS target_s,
    fromUnixTimestamp64Milli(ledger_rows.due_at, 'UTC') AS due_at,
    policy,
    policy_version,
    calendar,
    team,
    channel,
    priority,
    kind,
    segment,
    category,
    product,
    agent_id,
    cause_source,
    cause_id
FROM ledger_rows FINAL;

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
                (transition, ledger_rows.at), seq,
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
    last.16 AS agent_id
FROM clocks
LEFT JOIN totals ON last_version = totals.policy_version AND last_calendar = totals.calendar
ASOF LEFT JOIN spans ON last_version = spans.policy_version AND last_calendar = spans.calendar AND last_at >= opens
SETTINGS join_use_nulls = 0;

CREATE OR REPLACE VIEW ticket_minutes AS
SELECT
    toDateTime(minute_s, 'UTC') AS minute,
    team,
    channel,
    priority,
    kind,
    segment,
    category,
    product,
    sums['created'] AS created,
    sums['replied'] AS replied,
    sums['solved'] AS solved,
    sums['reopened'] AS reopened,
    sums['closed'] AS closed,
    sums['transferred'] AS transferred,
    sums['reassigned'] AS reassigned,
    sums['fcr_yes'] AS fcr_yes,
    sums['fcr_no'] AS fcr_no,
    sums['fcr_provisional'] AS fcr_provisional,
    sums['fcr_unknown'] AS fcr_unknown,
    sums['first_response_met'] AS first_response_met,
    sums['first_response_breached'] AS first_response_breached,
    sums['first_response_late'] AS first_response_late,
    sums['first_response_cancelled'] AS first_response_cancelled,
    sums['first_response_exempted'] AS first_response_exempted,
    reinterpret(sums['first_response_elapsed_ms'], 'Decimal64(3)') AS first_response_elapsed_s,
    sums['next_response_met'] AS next_response_met,
    sums['next_response_breached'] AS next_response_breached,
    sums['next_response_late'] AS next_response_late,
    sums['next_response_cancelled'] AS next_response_cancelled,
    sums['next_response_exempted'] AS next_response_exempted,
    reinterpret(sums['next_response_elapsed_ms'], 'Decimal64(3)') AS next_response_elapsed_s,
    sums['resolution_met'] AS resolution_met,
    sums['resolution_breached'] AS resolution_breached,
    sums['resolution_late'] AS resolution_late,
    sums['resolution_cancelled'] AS resolution_cancelled,
    sums['resolution_exempted'] AS resolution_exempted,
    reinterpret(sums['resolution_elapsed_ms'], 'Decimal64(3)') AS resolution_elapsed_s,
    mapApply(
        (name, ms) -> (substring(name, 10), reinterpret(ms, 'Decimal64(3)')),
        mapFilter((name, ms) -> startsWith(name, 'stage_ms.'), sums)
    ) AS stage_s
FROM (
    SELECT intDiv(at, 60000) * 60 AS minute_s, team, channel, priority, kind, segment, category, product, sumMap(counts) AS sums
    FROM fact_rows FINAL
    WHERE family = 'ticket'
    GROUP BY minute_s, team, channel, priority, kind, segment, category, product
)
WHERE arrayExists(number -> number != 0, mapValues(sums));

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
    sums['transferred'] AS transferred
FROM (
    SELECT intDiv(at, 60000) * 60 AS minute_s, queue, team, segment, sumMap(counts) AS sums
    FROM fact_rows FINAL
    WHERE family = 'call'
    GROUP BY minute_s, queue, team, segment
)
WHERE arrayExists(number -> number != 0, mapValues(sums));

-- Scores are on the scale from 0 to 1, so a sum of them over their number is the average.
CREATE OR REPLACE VIEW survey_minutes AS
SELECT
    toDateTime(minute_s, 'UTC') AS minute,
    metric,
    team,
    channel,
    segment,
    agent_id,
    sums['offered'] AS offered,
    sums['responses'] AS responses,
    sums['very_positive'] AS very_positive,
    sums['positive'] AS positive,
    sums['neutral'] AS neutral,
    sums['negative'] AS negative,
    reinterpret(sums['score_sum'], 'Decimal64(6)') AS score_sum,
    sums['promoters'] AS promoters,
    sums['passives'] AS passives,
    sums['detractors'] AS detractors,
    sums['attitude_n'] AS attitude_n,
    reinterpret(sums['attitude_sum'], 'Decimal64(6)') AS attitude_sum,
    sums['efficiency_n'] AS efficiency_n,
    reinterpret(sums['efficiency_sum'], 'Decimal64(6)') AS efficiency_sum,
    sums['resolution_n'] AS resolution_n,
    reinterpret(sums['resolution_sum'], 'Decimal64(6)') AS resolution_sum,
    sums['transparency_n'] AS transparency_n,
    reinterpret(sums['transparency_sum'], 'Decimal64(6)') AS transparency_sum,
    sums['by_human'] AS by_human,
    sums['by_bot'] AS by_bot
FROM (
    SELECT intDiv(at, 60000) * 60 AS minute_s, metric, team, channel, segment, agent_id, sumMap(counts) AS sums
    FROM fact_rows FINAL
    WHERE family = 'survey'
    GROUP BY minute_s, metric, team, channel, segment, agent_id
)
WHERE arrayExists(number -> number != 0, mapValues(sums));

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
