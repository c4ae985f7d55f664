-- Escalation: what happened to the steps of the chains, and what people did about warnings. Both depend on the wall clock
-- and on people, so they are not compared by `verify`.

CREATE TABLE IF NOT EXISTS escalation_rows (
    warning_id String,
    seq Int64,
    step Int64,
    state LowCardinality(String),
    at Int64,
    rule LowCardinality(String),
    subject String,
    severity LowCardinality(String),
    ticket_id String,
    to LowCardinality(String),
    receiver LowCardinality(String),
    due_at Nullable(Int64),
    attempt Int64,
    digest String,
    by String,
    reason String,
    version UInt64
) ENGINE = ReplacingMergeTree(version)
ORDER BY (warning_id, seq);

CREATE TABLE IF NOT EXISTS warning_step_rows (
    warning_id String,
    step LowCardinality(String),
    at Int64,
    by String,
    note String,
    version UInt64
) ENGINE = ReplacingMergeTree(version)
ORDER BY (warning_id, step, at, by);

-- Each step of each chain as it stands; step 0 is the chain itself. Its events, one by one: escalation_events.
CREATE OR REPLACE VIEW escalations AS
SELECT
    row.warning_id AS warning_id,
    row.step AS step,
    concat(row.warning_id, '/', toString(row.step)) AS message_id,
    argMax(row.state, row.seq) AS state,
    any(row.rule) AS rule,
    any(row.subject) AS subject,
    argMax(row.severity, row.seq) AS severity,
    any(row.ticket_id) AS ticket_id,
    any(row.to) AS to,
    argMax(row.receiver, row.seq) AS receiver,
    fromUnixTimestamp64Milli(argMax(row.due_at, row.seq), 'UTC') AS due_at,
    fromUnixTimestamp64Milli(minOrNullIf(row.at, row.state = 'sent'), 'UTC') AS sent_at,
    fromUnixTimestamp64Milli(argMax(row.at, row.seq), 'UTC') AS at,
    max(row.attempt) AS attempts,
    argMax(row.digest, row.seq) AS digest,
    argMax(row.by, row.seq) AS by,
    argMax(row.reason, row.seq) AS reason
FROM (SELECT * FROM escalation_rows FINAL) AS row
GROUP BY row.warning_id, row.step;

CREATE OR REPLACE VIEW escalation_events AS
SELECT
    warning_id,
    seq,
    step,
    state,
    fromUnixTimestamp64Milli(escalation_rows.at, 'UTC') AS at,
    to,
    receiver,
    fromUnixTimestamp64Milli(escalation_rows.due_at, 'UTC') AS due_at,
    attempt,
    digest,
    by,
    reason
FROM escalation_rows FINAL;

CREATE OR REPLACE VIEW risk_warnings AS
SELECT
    raised.*,
    fromUnixTimestamp64Milli(done.acknowledged_ms, 'UTC') AS acknowledged_at,
    done.acknowledged_by AS acknowledged_by,
    fromUnixTimestamp64Milli(done.escalated_ms, 'UTC') AS escalated_at,
    done.disagreements AS disagreements
FROM warnings_as_raised AS raised
LEFT JOIN (
    SELECT
        warning_id,
        maxOrNullIf(at, step = 'acknowledged') AS acknowledged_ms,
        argMaxIf(by, at, step = 'acknowledged') AS acknowledged_by,
        minOrNullIf(at, step = 'escalated') AS escalated_ms,
        countIf(step = 'disagreed') AS disagreements
    FROM warning_step_rows FINAL
    GROUP BY warning_id
) AS done ON done.warning_id = raised.warning_id
SETTINGS join_use_nulls = 0;
