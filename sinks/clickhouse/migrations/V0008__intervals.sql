-- The shares of service levels, of how well tickets were solved, how often customers complain, and of satisfaction by handler
-- with n and their 95 % Wilson intervals (`…_low`, `…_high`). The function is said in each view: a view cannot call another's.

-- Service level has several published formulas; all stand side by side, with queued = offered less those
-- who left in the voice menu.
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

-- By the day (UTC) of the last solving, of tickets that are solved. `one_touch`: with no more than one agent's public
-- reply (as Zendesk counts it). `reopened`: came back at least once.
CREATE OR REPLACE VIEW ticket_quality AS
WITH
    1.959963984540054 AS z95,
    ((k, n, z) -> (k / n + z * z / (2 * n) + z * sqrt(greatest(k * (n - k), 0) / n / n / n + z * z / (4 * n * n)))
        / (1 + z * z / n)) AS wilson
SELECT
    toDate(intDiv(assumeNotNull(ticket_rows.solved_at), 86400000)) AS day,
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
FROM ticket_rows FINAL
WHERE ticket_rows.solved_at IS NOT NULL
GROUP BY day, team, channel;

-- Complaints by the day (UTC) on which the tickets were created, among all contacts: tickets created, and calls that are
-- about no ticket.
CREATE OR REPLACE VIEW complaint_rates AS
WITH
    1.959963984540054 AS z95,
    ((k, n, z) -> (k / n + z * z / (2 * n) + z * sqrt(greatest(k * (n - k), 0) / n / n / n + z * z / (4 * n * n)))
        / (1 + z * z / n)) AS wilson
SELECT
    toDate(on_day) AS day,
    team,
    count() AS contacts,
    countIf(kind = 'complaint') AS complaints,
    1000 * complaints / contacts AS per_1000_contacts,
    1000 * wilson(complaints, contacts, -z95) AS per_1000_contacts_low,
    1000 * wilson(complaints, contacts, z95) AS per_1000_contacts_high
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
        intDiv(at, 86400000) AS on_day,
        metric,
        multiIf(counts['by_bot'] > 0, 'bot', counts['by_human'] > 0, 'human', '') AS handled_by,
        sumMap(counts) AS sums
    FROM fact_rows FINAL
    WHERE family = 'survey'
    GROUP BY on_day, metric, handled_by
)
WHERE responses > 0;
