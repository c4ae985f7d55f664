-- How well tickets were solved, how often customers complain, bots beside people, and contacts of the desk's own accord.

-- By the day (UTC) of the last solving, of tickets that are solved. `one_touch`: with no more than one agent's public
-- reply (as Zendesk counts it). `reopened`: came back at least once.
CREATE OR REPLACE VIEW ticket_quality AS
SELECT
    toDate(intDiv(assumeNotNull(ticket_rows.solved_at), 86400000)) AS day,
    team,
    channel,
    count() AS solved,
    countIf(replies <= 1) AS one_touch,
    one_touch / solved AS one_touch_share,
    countIf(reopenings > 0) AS reopened,
    reopened / solved AS reopened_share
FROM ticket_rows FINAL
WHERE ticket_rows.solved_at IS NOT NULL
GROUP BY day, team, channel;

-- Complaints by the day (UTC) on which the tickets were created, among all contacts: tickets created, and calls that are
-- about no ticket.
CREATE OR REPLACE VIEW complaint_rates AS
SELECT
    toDate(on_day) AS day,
    team,
    count() AS contacts,
    countIf(kind = 'complaint') AS complaints,
    1000 * complaints / contacts AS per_1000_contacts
FROM (
    SELECT intDiv(at, 86400000) AS on_day, team, kind
    FROM fact_rows FINAL
    WHERE family = 'ticket' AND counter = 'created'
    UNION ALL
    SELECT intDiv(offered_at, 86400000) AS on_day, team, '' AS kind
    FROM call_rows FINAL
    WHERE ticket_id = ''
)
GROUP BY day, team;

-- Satisfaction with people and with bots (`handled_by`; '': the survey does not say), by the day (UTC) of the answer.
-- `rate`, its Wilson bounds and `score` are those of the view satisfaction.
CREATE OR REPLACE VIEW satisfaction_by_handler AS
WITH 1.959963984540054 AS z
SELECT
    toDate(on_day) AS day,
    metric,
    handled_by,
    sums['responses'] AS responses,
    if(metric = 'nps', sums['promoters'] + sums['passives'] + sums['detractors'],
        sums['positive'] + sums['neutral'] + sums['negative']) AS n,
    if(metric = 'nps', NULL, sums['positive'] / nullIf(n, 0)) AS rate,
    (rate + z * z / (2 * n) - z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))) / (1 + z * z / n) AS rate_low,
    (rate + z * z / (2 * n) + z * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))) / (1 + z * z / n) AS rate_high,
    if(metric = 'nps', 100 * (sums['promoters'] - sums['detractors']) / nullIf(n, 0), NULL) AS nps,
    sums['score_sum'] / nullIf(responses, 0) / 1000000 AS score
FROM (
    SELECT
        intDiv(at, 86400000) AS on_day,
        metric,
        multiIf(counts['by_bot'] > 0, 'bot', counts['by_human'] > 0, 'human', '') AS handled_by,
        sumMap(counts) AS sums
    FROM fact_rows FINAL
    WHERE family = 'survey'
    GROUP BY on_day, metric, handled_by
)
WHERE responses > 0;

-- Of one contact the earliest event stands.
CREATE OR REPLACE VIEW proactive_contacts AS
SELECT
    JSONExtractString(body, 'data', 'contact_id') AS contact_id,
    time AS at,
    JSONExtractString(body, 'data', 'customer_id') AS customer_id,
    JSONExtractString(body, 'data', 'agent_id') AS agent_id,
    JSONExtractString(body, 'data', 'team') AS team,
    JSONExtractString(body, 'data', 'occasion') AS occasion
FROM events
WHERE type = 'contact.proactive'
ORDER BY contact_id, at, source, id
LIMIT 1 BY contact_id;

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
