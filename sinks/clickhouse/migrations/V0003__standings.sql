-- Tickets, calls, surveys, warnings and the backlog, as they stand.

CREATE OR REPLACE VIEW tickets AS
SELECT
    ticket_id,
    status,
    fromUnixTimestamp64Milli(ticket_rows.created_at, 'UTC') AS created_at,
    fromUnixTimestamp64Milli(ticket_rows.first_replied_at, 'UTC') AS first_replied_at,
    fromUnixTimestamp64Milli(ticket_rows.solved_at, 'UTC') AS solved_at,
    fromUnixTimestamp64Milli(ticket_rows.closed_at, 'UTC') AS closed_at,
    fromUnixTimestamp64Milli(ticket_rows.updated_at, 'UTC') AS updated_at,
    team,
    channel,
    priority,
    kind,
    segment,
    category,
    product,
    agent_id,
    severity,
    customer_id,
    stage,
    tags,
    url,
    parent_id,
    merged_into,
    replies,
    hops,
    reassignments,
    reopenings,
    sampled,
    outcomes['first_response'] AS first_response_outcome,
    outcomes['next_response'] AS next_response_outcome,
    outcomes['resolution'] AS resolution_outcome
FROM ticket_rows FINAL;

CREATE OR REPLACE VIEW calls AS
SELECT
    call_id,
    outcome,
    fromUnixTimestamp64Milli(call_rows.offered_at, 'UTC') AS offered_at,
    fromUnixTimestamp64Milli(call_rows.answered_at, 'UTC') AS answered_at,
    fromUnixTimestamp64Milli(call_rows.ended_at, 'UTC') AS ended_at,
    first_queue,
    queue,
    team,
    segment,
    category,
    agent_id,
    customer_id,
    ticket_id,
    reinterpret(ivr_ms, 'Decimal64(3)') AS ivr_s,
    reinterpret(wait_ms, 'Decimal64(3)') AS wait_s,
    reinterpret(talk_ms, 'Decimal64(3)') AS talk_s,
    reinterpret(hold_ms, 'Decimal64(3)') AS hold_s,
    reinterpret(wrapup_ms, 'Decimal64(3)') AS wrapup_s,
    transfers
FROM call_rows FINAL;

CREATE OR REPLACE VIEW surveys AS
SELECT
    subject,
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

CREATE OR REPLACE VIEW reviews AS
SELECT
    review_id,
    fromUnixTimestamp64Milli(review_rows.at, 'UTC') AS at,
    passed,
    score,
    mystery,
    errors,
    ticket_id,
    call_id,
    agent_id,
    team,
    channel,
    segment,
    category
FROM review_rows FINAL;

-- `complete`: the customer was reached, and it was recorded. `in_time`: done by due_at as it stood then; NULL while open
-- and not yet due.
CREATE OR REPLACE VIEW callbacks AS
SELECT
    callback_id,
    status,
    fromUnixTimestamp64Milli(callback_rows.opened_at, 'UTC') AS opened_at,
    fromUnixTimestamp64Milli(callback_rows.due_at, 'UTC') AS due_at,
    fromUnixTimestamp64Milli(callback_rows.done_at, 'UTC') AS done_at,
    customer_id,
    segment,
    member,
    ticket_id,
    reached,
    recorded,
    toUInt8(ifNull(reached, 0) AND ifNull(recorded, 0)) AS complete,
    multiIf(
        status = 'overdue', 0,
        status = 'done', toUInt8(ifNull(callback_rows.done_at <= callback_rows.due_at, 1)),
        NULL
    ) AS in_time,
    reschedulings
FROM callback_rows FINAL;

CREATE OR REPLACE VIEW actions AS
SELECT
    action_id,
    status,
    fromUnixTimestamp64Milli(action_rows.opened_at, 'UTC') AS opened_at,
    fromUnixTimestamp64Milli(action_rows.due_at, 'UTC') AS due_at,
    fromUnixTimestamp64Milli(action_rows.done_at, 'UTC') AS done_at,
    owner,
    title,
    ticket_id,
    multiIf(
        status = 'overdue', 0,
        status = 'done', toUInt8(ifNull(action_rows.done_at <= action_rows.due_at, 1)),
        NULL
    ) AS in_time
FROM action_rows FINAL;

-- A span that goes on has no `to_at`; its length is as of `as_of`.
CREATE OR REPLACE VIEW agent_states AS
WITH ifNull((SELECT min(as_of) FROM progress_rows FINAL WHERE topic_name = 'facts'), 0) AS now_ms
SELECT
    agent_id,
    state,
    team,
    fromUnixTimestamp64Milli(agent_state_rows.from_at, 'UTC') AS from_at,
    fromUnixTimestamp64Milli(agent_state_rows.to_at, 'UTC') AS to_at,
    reinterpret(
        toInt64(greatest(ifNull(agent_state_rows.to_at, now_ms) - agent_state_rows.from_at, 0)), 'Decimal64(3)'
    ) AS duration_s,
    if(isNull(limit_ms), NULL, reinterpret(assumeNotNull(limit_ms), 'Decimal64(3)')) AS limit_s
FROM agent_state_rows FINAL;

-- What the rules say; risk_warnings (V0006) adds what people did about it.
CREATE OR REPLACE VIEW warnings_as_raised AS
SELECT
    warning_id,
    rule,
    subject,
    state,
    severity,
    fromUnixTimestamp64Milli(warning_rows.raised_at, 'UTC') AS raised_at,
    fromUnixTimestamp64Milli(warning_rows.cleared_at, 'UTC') AS cleared_at,
    cleared_by,
    ticket_id,
    metric,
    cycle,
    reinterpret(elapsed_ms, 'Decimal64(3)') AS elapsed_s,
    reinterpret(target_ms, 'Decimal64(3)') AS target_s,
    fromUnixTimestamp64Milli(warning_rows.due_at, 'UTC') AS due_at,
    policy,
    policy_version,
    team,
    channel,
    priority,
    kind,
    segment,
    category,
    product,
    agent_id,
    url,
    customer_id,
    dimension,
    value,
    measures,
    reasons,
    cause,
    parent_id
FROM warning_rows FINAL;

-- Customers, with the complaint-risk index as of `as_of`: of each signal what its half-lives since have left of its points.
CREATE OR REPLACE VIEW customers AS
WITH ifNull((SELECT min(as_of) FROM progress_rows FINAL WHERE topic_name = 'facts/customers'), 0) AS now_ms
SELECT
    customer_id,
    ids,
    segment,
    fromUnixTimestamp64Milli(customer_rows.first_contact_at, 'UTC') AS first_contact_at,
    fromUnixTimestamp64Milli(customer_rows.last_contact_at, 'UTC') AS last_contact_at,
    contacts,
    tickets,
    open_tickets,
    solved,
    calls,
    counts['fcr_yes'] AS fcr_yes,
    counts['fcr_no'] AS fcr_no,
    counts['fcr_provisional'] AS fcr_provisional,
    counts['repeat_contact'] AS repeat_contacts,
    counts['transfer'] AS transfers,
    counts['reopening'] AS reopenings,
    counts['breach'] AS breaches,
    counts['abandoned_call'] AS abandoned_calls,
    counts['low_survey'] AS low_surveys,
    counts['complaint'] AS complaints,
    arrayMap(
        one -> (one.1, round(factor * one.2 * exp2(-greatest(now_ms - one.3, 0) / one.4), 1)), signals
    )::Array(Tuple(signal String, points Float64)) AS points,
    least(
        100, round(factor * arraySum(one -> one.2 * exp2(-greatest(now_ms - one.3, 0) / one.4), signals), 1)
    ) AS risk_index,
    raise_at AS raise_limit,
    clear_at AS clear_limit,
    warning_id,
    fromUnixTimestamp64Milli(greatest(now_ms, 0), 'UTC') AS as_of
FROM customer_rows FINAL;

CREATE OR REPLACE VIEW dead_letters AS
SELECT
    topic,
    partition,
    offset,
    fromUnixTimestamp64Milli(dead_letter_rows.received_at, 'UTC') AS received_at,
    reason,
    base64Decode(value_base64) AS value
FROM dead_letter_rows FINAL;

-- The running clocks; ask with ORDER BY due_at, or as they come: soonest first.
CREATE OR REPLACE VIEW due_next AS
SELECT
    clock.ticket_id AS ticket_id,
    clock.metric AS metric,
    clock.cycle AS cycle,
    clock.due_at AS due_at,
    reinterpret(dateDiff('millisecond', clock.as_of, assumeNotNull(clock.due_at)), 'Decimal64(3)') AS left_s,
    clock.team AS team,
    clock.agent_id AS agent_id,
    clock.priority AS priority,
    clock.kind AS kind,
    clock.segment AS segment,
    clock.policy AS policy,
    ticket.url AS url,
    clock.as_of AS as_of
FROM sla_outcomes AS clock
LEFT JOIN ticket_rows AS ticket FINAL ON clock.ticket_id = ticket.ticket_id
WHERE clock.outcome = 'running' AND clock.due_at IS NOT NULL
ORDER BY due_at, ticket_id, metric, cycle
SETTINGS join_use_nulls = 0;

-- The backlog of a team at the end of each minute in which a stretch of it began or ended; it stands until the team's
-- next row, and the ages grow meanwhile. Only minutes that ended by as_of.
--
--     minute          | 10:00 | 10:01 | 10:02 | 10:03 |
--     a ticket open       from|=======|=======|to          counts at the ends of 10:00, 10:01, 10:02: minutes [from, to)
--
-- The oldest of those open at a minute's end: each stretch is cut into the few aligned blocks of 2^level minutes that
-- make it up (as a segment tree does), the earliest opening is kept for each block, and a minute looks into the blocks
-- of all levels that hold it.
--
--     minutes     0 1 2 3 4 5 6 7
--     [1, 7)        # ###  ### #       blocks 1 (level 0), 1 (level 1), 2 (level 1), 6 (level 0)
CREATE OR REPLACE VIEW backlog_minutes AS
WITH
    ifNull(
        (SELECT intDiv(greatest(min(as_of), 0), 60000) FROM progress_rows FINAL WHERE topic_name = 'facts'), 0
    ) AS now_minute,
    stretches AS (
        SELECT
            family = 'call' AS waits,
            team,
            opened_at,
            intDiv(from_at, 60000) AS begins,
            least(ifNull(intDiv(to_at, 60000), now_minute), now_minute) AS ends,
            at_risk,
            breached
        FROM span_rows FINAL
        WHERE begins < ends
    ),
    ifNull((SELECT toUInt8(log2(greatest(max(ends - begins), 1)) + 2) FROM stretches), 0) AS levels,
    changes AS (
        SELECT
            team,
            change.1 AS minute,
            sum(if(waits, 0, change.2)) AS open_change,
            sum(if(waits, 0, change.2 * at_risk)) AS at_risk_change,
            sum(if(waits, 0, change.2 * breached)) AS breached_change,
            sum(if(waits, change.2, 0)) AS waiting_change
        FROM stretches
        ARRAY JOIN [(begins, 1), (ends, -1)] AS change
        WHERE minute < now_minute
        GROUP BY team, minute
    ),
    counts AS (
        SELECT
            team,
            minute,
            sum(open_change) OVER running AS open,
            sum(at_risk_change) OVER running AS at_risk,
            sum(breached_change) OVER running AS breached_open,
            sum(waiting_change) OVER running AS waiting_calls
        FROM changes
        WINDOW running AS (PARTITION BY team ORDER BY minute ROWS UNBOUNDED PRECEDING)
    ),
    blocks AS (
        SELECT
            team,
            level,
            block,
            min(if(waits, 9223372036854775807, opened_at)) AS oldest_at,
            min(if(waits, opened_at, 9223372036854775807)) AS longest_at
        FROM (
            SELECT
                waits,
                team,
                opened_at,
                level,
                bitShiftRight(begins + bitShiftLeft(toInt64(1), level) - 1, level) AS low,
                bitShiftRight(ends, level) AS high
            FROM stretches
            ARRAY JOIN range(levels) AS level
            WHERE low < high
        )
        ARRAY JOIN arrayFilter(
            one -> one >= 0, [if(bitAnd(low, 1) = 1, low, -1), if(bitAnd(high, 1) = 1, high - 1, -1)]
        ) AS block
        GROUP BY team, level, block
    ),
    ages AS (
        SELECT
            at.team AS team,
            at.minute AS minute,
            min(blocks.oldest_at) AS oldest_at,
            min(blocks.longest_at) AS longest_at
        FROM (
            SELECT team, minute, level, bitShiftRight(minute, level) AS block
            FROM changes
            ARRAY JOIN range(levels) AS level
        ) AS at
        INNER JOIN blocks ON at.team = blocks.team AND at.level = blocks.level AND at.block = blocks.block
        GROUP BY team, minute
    )
SELECT
    toDateTime(counts.minute * 60, 'UTC') AS minute,
    counts.team AS team,
    open,
    at_risk,
    breached_open,
    reinterpret(toInt64(if(open > 0, (counts.minute + 1) * 60000 - oldest_at, 0)), 'Decimal64(3)') AS oldest_s,
    waiting_calls,
    reinterpret(toInt64(if(waiting_calls > 0, (counts.minute + 1) * 60000 - longest_at, 0)), 'Decimal64(3)')
        AS longest_wait_s
FROM counts
LEFT JOIN ages ON counts.team = ages.team AND counts.minute = ages.minute
SETTINGS join_use_nulls = 0;
