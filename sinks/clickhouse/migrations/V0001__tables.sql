-- The base tables: the rows of streams/models/rows.py as they came, instants and durations in ms. Columns stand in the
-- order of the structs' fields, for a row on the wire is an array. Of several rows with one identity (ORDER BY) the
-- highest version stands; with is_deleted it is withdrawn. BI reads the views (V0002 and later), never these.

CREATE TABLE IF NOT EXISTS ledger_rows (
    ticket_id String,
    metric LowCardinality(String),
    cycle Int64,
    seq Int64,
    transition LowCardinality(String),
    at Int64,
    started_at Int64,
    elapsed_ms Int64,
    target_ms Int64,
    due_at Nullable(Int64),
    policy LowCardinality(String),
    policy_version LowCardinality(String),
    calendar LowCardinality(String),
    team LowCardinality(String),
    channel LowCardinality(String),
    priority LowCardinality(String),
    kind LowCardinality(String),
    segment LowCardinality(String),
    category LowCardinality(String),
    product LowCardinality(String),
    agent_id LowCardinality(String),
    cause_source LowCardinality(String),
    cause_id String,
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (ticket_id, metric, cycle, seq);

CREATE TABLE IF NOT EXISTS fact_rows (
    family LowCardinality(String),
    subject String,
    cause_source LowCardinality(String),
    cause_id String,
    counter LowCardinality(String),
    cycle Int64,
    at Int64,
    team LowCardinality(String),
    channel LowCardinality(String),
    priority LowCardinality(String),
    kind LowCardinality(String),
    segment LowCardinality(String),
    category LowCardinality(String),
    product LowCardinality(String),
    agent_id LowCardinality(String),
    queue LowCardinality(String),
    metric LowCardinality(String),
    counts Map(LowCardinality(String), Int64),
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(at, 'UTC'))
ORDER BY (family, at, subject, cause_source, cause_id, counter, cycle);

CREATE TABLE IF NOT EXISTS span_rows (
    family LowCardinality(String),
    subject String,
    n Int64,
    team LowCardinality(String),
    opened_at Int64,
    from_at Int64,
    to_at Nullable(Int64),
    at_risk UInt8,
    breached UInt8,
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (family, subject, n);

CREATE TABLE IF NOT EXISTS ticket_rows (
    ticket_id String,
    status LowCardinality(String),
    created_at Nullable(Int64),
    first_replied_at Nullable(Int64),
    solved_at Nullable(Int64),
    closed_at Nullable(Int64),
    updated_at Int64,
    team LowCardinality(String),
    channel LowCardinality(String),
    priority LowCardinality(String),
    kind LowCardinality(String),
    segment LowCardinality(String),
    category LowCardinality(String),
    product LowCardinality(String),
    agent_id LowCardinality(String),
    severity LowCardinality(String),
    customer_id String,
    stage LowCardinality(String),
    tags Array(String),
    url String,
    parent_id String,
    merged_into String,
    replies Int64,
    hops Int64,
    reassignments Int64,
    reopenings Int64,
    sampled UInt8,
    outcomes Map(LowCardinality(String), LowCardinality(String)),
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY ticket_id;

CREATE TABLE IF NOT EXISTS call_rows (
    call_id String,
    outcome LowCardinality(String),
    offered_at Int64,
    answered_at Nullable(Int64),
    ended_at Nullable(Int64),
    first_queue LowCardinality(String),
    queue LowCardinality(String),
    team LowCardinality(String),
    segment LowCardinality(String),
    category LowCardinality(String),
    agent_id LowCardinality(String),
    customer_id String,
    ticket_id String,
    ivr_ms Int64,
    wait_ms Int64,
    talk_ms Int64,
    hold_ms Int64,
    wrapup_ms Int64,
    transfers Int64,
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY call_id;

CREATE TABLE IF NOT EXISTS survey_rows (
    subject String,
    survey_id String,
    metric LowCardinality(String),
    offered_at Nullable(Int64),
    responded_at Nullable(Int64),
    score Nullable(Float64),
    scale_min Nullable(Float64),
    scale_max Nullable(Float64),
    normalised Nullable(Int64),
    ticket_id String,
    call_id String,
    customer_id String,
    agent_id LowCardinality(String),
    team LowCardinality(String),
    channel LowCardinality(String),
    segment LowCardinality(String),
    handled_by LowCardinality(String),
    dimensions Map(LowCardinality(String), Int64),
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (subject, survey_id, metric);

CREATE TABLE IF NOT EXISTS review_rows (
    subject String,
    review_id String,
    at Int64,
    passed UInt8,
    score Nullable(Float64),
    mystery UInt8,
    errors Array(LowCardinality(String)),
    ticket_id String,
    call_id String,
    agent_id LowCardinality(String),
    team LowCardinality(String),
    channel LowCardinality(String),
    segment LowCardinality(String),
    category LowCardinality(String),
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (subject, review_id);

CREATE TABLE IF NOT EXISTS callback_rows (
    callback_id String,
    status LowCardinality(String),
    opened_at Nullable(Int64),
    due_at Nullable(Int64),
    done_at Nullable(Int64),
    customer_id String,
    segment LowCardinality(String),
    member UInt8,
    ticket_id String,
    reached Nullable(UInt8),
    recorded Nullable(UInt8),
    reschedulings Int64,
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY callback_id;

CREATE TABLE IF NOT EXISTS action_rows (
    action_id String,
    status LowCardinality(String),
    opened_at Nullable(Int64),
    due_at Nullable(Int64),
    done_at Nullable(Int64),
    owner String,
    title String,
    ticket_id String,
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY action_id;

CREATE TABLE IF NOT EXISTS agent_state_rows (
    agent_id LowCardinality(String),
    state LowCardinality(String),
    team LowCardinality(String),
    from_at Int64,
    to_at Nullable(Int64),
    limit_ms Nullable(Int64),
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (agent_id, from_at);

CREATE TABLE IF NOT EXISTS warning_rows (
    warning_id String,
    rule LowCardinality(String),
    subject String,
    state LowCardinality(String),
    severity LowCardinality(String),
    raised_at Int64,
    cleared_at Nullable(Int64),
    cleared_by LowCardinality(String),
    ticket_id String,
    metric LowCardinality(String),
    cycle Int64,
    elapsed_ms Int64,
    target_ms Int64,
    due_at Nullable(Int64),
    policy LowCardinality(String),
    policy_version LowCardinality(String),
    team LowCardinality(String),
    channel LowCardinality(String),
    priority LowCardinality(String),
    kind LowCardinality(String),
    segment LowCardinality(String),
    category LowCardinality(String),
    product LowCardinality(String),
    agent_id LowCardinality(String),
    url String,
    customer_id String,
    dimension LowCardinality(String),
    value String,
    measures Map(LowCardinality(String), Float64),
    reasons Array(Tuple(signal LowCardinality(String), points Float64, lowered_by String)),
    cause String,
    parent_id String,
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY warning_id;

CREATE TABLE IF NOT EXISTS customer_rows (
    customer_id String,
    ids Array(String),
    segment LowCardinality(String),
    first_contact_at Nullable(Int64),
    last_contact_at Nullable(Int64),
    contacts Int64,
    tickets Int64,
    open_tickets Int64,
    solved Int64,
    calls Int64,
    counts Map(LowCardinality(String), Int64),
    signals Array(Tuple(signal LowCardinality(String), points Float64, at Int64, half_life_ms Int64)),
    factor Float64,
    raise_at Float64,
    clear_at Float64,
    warning_id String,
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY customer_id;

-- `partition` is part of the identity: each partition counts for itself, and the views add up.
CREATE TABLE IF NOT EXISTS pane_rows (
    partition Int64,
    minute Int64,
    opened Int64,
    counts Array(Tuple(
        keys Array(Tuple(dimension LowCardinality(String), value String)), counts Map(LowCardinality(String), Int64)
    )),
    version UInt64,
    is_deleted UInt8
) ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (minute, partition, opened);

-- How far everything written goes. `topic_name` is an output topic (as far as the desk came) or an input topic (whose
-- events are stored).
-- What came too late for the window rules: `verify` leaves it out of what it judges.
CREATE TABLE IF NOT EXISTS late_tally_rows (
    partition Int64,
    checkpoint UInt64,
    number Int64,
    minute Int64,
    team LowCardinality(String),
    channel LowCardinality(String),
    segment LowCardinality(String),
    category LowCardinality(String),
    queue LowCardinality(String),
    agent_id String,
    counts Map(LowCardinality(String), Int64),
    version UInt64
) ENGINE = ReplacingMergeTree(version)
ORDER BY (partition, checkpoint, number);

CREATE TABLE IF NOT EXISTS progress_rows (
    topic_name LowCardinality(String),
    partition Int64,
    as_of Int64,
    offsets Map(LowCardinality(String), Int64),
    version UInt64
) ENGINE = ReplacingMergeTree(version)
ORDER BY (topic_name, partition);

-- Events as they came: a row for each message, so that writing one twice changes nothing. Of messages with one identity
-- (source, id) the view `events` shows the one that stands.
CREATE TABLE IF NOT EXISTS event_rows (
    source LowCardinality(String),
    id String,
    type LowCardinality(String),
    time Int64,
    subject String,
    topic LowCardinality(String),
    partition Int64,
    offset Int64,
    body String,
    received_at Int64,
    stored_at DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree
ORDER BY (source, id, topic, partition, offset);

CREATE TABLE IF NOT EXISTS dead_letter_rows (
    topic LowCardinality(String),
    partition Int64,
    offset Int64,
    received_at Int64,
    reason String,
    value_base64 String
) ENGINE = ReplacingMergeTree
ORDER BY (topic, partition, offset);

-- When each calendar of each policy version is open: the spans in order, with the open time before each. Written whole
-- (sinks/clickhouse/calendars.py); `version` is the number of ad-hoc closures known.
CREATE TABLE IF NOT EXISTS calendar_rows (
    policy_version LowCardinality(String),
    calendar LowCardinality(String),
    opens_at Array(Int64) CODEC(Delta, ZSTD),
    closes_at Array(Int64) CODEC(Delta, ZSTD),
    before_ms Array(Int64) CODEC(Delta, ZSTD),
    version UInt64
) ENGINE = ReplacingMergeTree(version)
ORDER BY (policy_version, calendar);
