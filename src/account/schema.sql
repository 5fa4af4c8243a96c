-- Version 1. Times are milliseconds since 1970 in UTC.

-- What was learnt about providers.
CREATE TABLE keys (
    base_url TEXT PRIMARY KEY,
    honoured INTEGER NOT NULL,
    why      TEXT    NOT NULL,
    at       INTEGER NOT NULL
) WITHOUT ROWID;
