-- Version 3: estimates that proved too low, and what the user's account holds.

-- The dearest proof of each kind of submission: what was estimated, and what the provider said.
CREATE TABLE proof (
    kind     TEXT    PRIMARY KEY,
    estimate INTEGER NOT NULL,
    proven   INTEGER NOT NULL
) WITHOUT ROWID;

-- What the user's account holds for an attempt; absent where it was told nothing.
ALTER TABLE attempt ADD COLUMN booked INTEGER;
CREATE INDEX attempt_unbooked ON attempt (id) WHERE booked <> cost;
