-- Dead letters that were replayed, and what was sent in their place.

CREATE TABLE IF NOT EXISTS dead_letter_replay_rows (
    topic LowCardinality(String),
    partition Int64,
    offset Int64,
    replayed_at Int64,
    value_base64 String
) ENGINE = ReplacingMergeTree(replayed_at)
ORDER BY (topic, partition, offset);

CREATE OR REPLACE VIEW dead_letters AS
SELECT
    topic,
    partition,
    offset,
    fromUnixTimestamp64Milli(letters.received_at, 'UTC') AS received_at,
    reason,
    base64Decode(letters.value_base64) AS value,
    if(replays.replayed_at = 0, NULL, fromUnixTimestamp64Milli(replays.replayed_at, 'UTC')) AS replayed_at,
    base64Decode(replays.value_base64) AS replayed_value
FROM (SELECT * FROM dead_letter_rows FINAL) AS letters
LEFT JOIN (SELECT * FROM dead_letter_replay_rows FINAL) AS replays USING (topic, partition, offset)
SETTINGS join_use_nulls = 0;
