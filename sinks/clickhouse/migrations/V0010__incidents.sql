-- The parents of a warning's ticket while it stood, each with the instant since when; empty: parent_id all the time.

ALTER TABLE warning_rows ADD COLUMN IF NOT EXISTS parents Array(Tuple(Int64, String));
