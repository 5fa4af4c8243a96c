-- Version 2. Money is in millionths of a credit.

-- What each submission of every folder of this user holds: reserved before it
-- leaves, then what its folder's ledger knows.
CREATE TABLE spend (
    key    TEXT    PRIMARY KEY,             -- idempotency key of the attempt
    at     INTEGER NOT NULL,                -- when it was reserved: the day and the month that it counts in
    amount INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX spend_at ON spend (at, amount);
