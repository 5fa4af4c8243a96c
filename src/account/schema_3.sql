-- Version 3: estimates that a provider proved too low, for all folders.

CREATE TABLE raise (
    base_url TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    estimate INTEGER NOT NULL,
    proven   INTEGER NOT NULL,
    PRIMARY KEY (base_url, kind)
) WITHOUT ROWID;
