-- Rates and shares, each beside the number it is a share of; NULL where that is 0.

-- Service level has several published formulas; all stand side by side (SPEC section 4), with queued = offered less those
-- who left in the voice menu.
CREATE OR REPLACE VIEW service_levels AS
SELECT
    hour,
    queue,
    offered,
    abandoned_ivr,
    offered - abandoned_ivr AS queued,
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
    answered AS answered_of_answered_n,
    answered_in_target / nullIf(answered_of_answered_n, 0) AS answered_of_answered,
    answered + abandoned AS answered_of_answered_and_abandoned_n,
    answered_in_target / nullIf(answered_of_answered_and_abandoned_n, 0) AS answered_of_answered_and_abandoned,
    answered + abandoned - short_abandoned AS answered_without_short_abandons_n,
    answered_in_target / nullIf(answered_without_short_abandons_n, 0) AS answered_without_short_abandons,
    answered + abandoned AS hits_with_abandons_n,
    (answered_in_target + abandoned_in_target) / nullIf(hits_with_abandons_n, 0) AS hits_with_abandons,
    abandoned / nullIf(queued, 0) AS abandon_rate,
    wait_ms / nullIf(answered, 0) / 1000 AS asa_s,
    handle_ms / nullIf(ended, 0) / 1000 AS aht_s
FROM (
    SELECT
        toDateTime(intDiv(fact_rows.at, 3600000) * 3600, 'UTC') AS hour,
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
        sums['wait_ms'] AS wait_ms,
        sums['talk_ms'] + sums['hold_ms'] + sums['wrapup_ms'] AS handle_ms
    FROM fact_rows FINAL
    WHERE family = 'call'
    GROUP BY hour, queue
);

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
        toDateTime(intDiv(fact_rows.at, 3600000) * 3600, 'UTC') AS hour,
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
    FROM fact_rows FINAL
    WHERE family = 'survey'
    GROUP BY hour, metric, team, channel, segment
);

-- The proof of quality inspection, by the day (UTC) of the last solving and the ticket's team: of the tickets in the sample
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
        toDate(intDiv(assumeNotNull(ticket.solved_at), 86400000)) AS day,
        ticket.team AS team,
        ticket.sampled AS sampled,
        found.reviews AS reviews,
        found.passes AS passes
    FROM (SELECT ticket_id, solved_at, team, sampled FROM ticket_rows FINAL WHERE solved_at IS NOT NULL) AS ticket
    LEFT JOIN (
        SELECT ticket_id, count() AS reviews, countIf(passed = 1) AS passes
        FROM review_rows FINAL
        WHERE ticket_id != ''
        GROUP BY ticket_id
    ) AS found ON found.ticket_id = ticket.ticket_id
)
GROUP BY day, team
SETTINGS join_use_nulls = 0;

-- Callbacks by the day (UTC) on which they were promised, members apart: members are all to be called back.
CREATE OR REPLACE VIEW callback_coverage AS
SELECT
    toDate(intDiv(assumeNotNull(callback_rows.opened_at), 86400000)) AS day,
    member,
    count() AS promised,
    countIf(status = 'done') AS done,
    countIf(status = 'done' AND ifNull(callback_rows.done_at <= callback_rows.due_at, 1)) AS done_in_time,
    countIf(status = 'overdue') AS overdue,
    countIf(reached = 1) AS were_reached,
    countIf(reached = 1 AND recorded = 1) AS complete,
    done / promised AS done_share,
    done_in_time / promised AS in_time_share,
    complete / promised AS complete_share
FROM callback_rows FINAL
WHERE callback_rows.opened_at IS NOT NULL
GROUP BY day, member;

-- Why customers make contact: tickets created, and calls that are about no ticket; by day (UTC). `change` is against the
-- same weekday a week before (0.5: half as many again).
CREATE OR REPLACE VIEW contact_reasons AS
WITH contacts AS (
    SELECT day, category, count() AS number
    FROM (
        SELECT intDiv(at, 86400000) AS day, category
        FROM fact_rows FINAL
        WHERE family = 'ticket' AND counter = 'created'
        UNION ALL
        SELECT intDiv(offered_at, 86400000) AS day, category
        FROM call_rows FINAL
        WHERE ticket_id = ''
    )
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
            'ticket_minutes', 'call_minutes', 'survey_minutes', 'backlog_minutes', 'tickets', 'calls', 'surveys', 'reviews',
            'callbacks', 'actions', 'agent_states', 'review_coverage', 'callback_coverage',
            'service_levels', 'satisfaction', 'contact_reasons', 'customers'
        ],
        topic_name = 'rollups', ['window_minutes', 'data_quality'],
        topic_name = 'risk-warnings', ['risk_warnings'],
        []
    ) AS view
    UNION ALL
    SELECT 'events' AS view, complete_at, provisional_at FROM stored
)
SETTINGS join_use_nulls = 0;

-- What came in, by the hour of business time (messages that are no events: of their arrival), and how long it took from
-- an event's business time to its row.
CREATE OR REPLACE VIEW data_quality AS
SELECT
    toDateTime(intDiv(arrived.hour_ms, 1000), 'UTC') AS hour,
    arrived.topic AS topic,
    sums['events'] AS events,
    sums['late'] AS late,
    sums['duplicates'] AS duplicates,
    sums['conflicts'] AS conflicts,
    sums['orphans'] AS orphans,
    sums['released'] AS released,
    sums['dead_letters'] AS dead_letters,
    sums['unknown'] AS unknown,
    if(delays.n = 0, NULL, reinterpret(delays.median_ms, 'Decimal64(3)')) AS delay_median_s,
    if(delays.n = 0, NULL, reinterpret(delays.p95_ms, 'Decimal64(3)')) AS delay_p95_s
FROM (
    SELECT pane_rows.minute AS hour_ms, key.value AS topic, sumMap(pane.counts) AS sums
    FROM pane_rows FINAL
    ARRAY JOIN counts AS pane
    ARRAY JOIN pane.keys AS key
    WHERE key.dimension = 'topic'
    GROUP BY hour_ms, topic
) AS arrived
LEFT JOIN (
    SELECT
        intDiv(time, 3600000) * 3600000 AS hour_ms,
        topic,
        count() AS n,
        quantileExact(0.5)(toUnixTimestamp64Milli(stored_at) - time) AS median_ms,
        quantileExact(0.95)(toUnixTimestamp64Milli(stored_at) - time) AS p95_ms
    FROM event_rows FINAL
    GROUP BY hour_ms, topic
) AS delays ON arrived.hour_ms = delays.hour_ms AND arrived.topic = delays.topic
WHERE arrayExists(number -> number != 0, mapValues(sums))
SETTINGS join_use_nulls = 0;
