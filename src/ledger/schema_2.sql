-- Version 2: what resolves a submission of unknown outcome.

-- How often an attempt's key and bytes were sent again.
ALTER TABLE attempt ADD COLUMN replays INTEGER NOT NULL DEFAULT 0;
-- What an earlier arrival of the same key may have cost beside this one; part of `cost`.
ALTER TABLE attempt ADD COLUMN doubt INTEGER NOT NULL DEFAULT 0;
-- Secret part of the attempt's callback address.
ALTER TABLE attempt ADD COLUMN token TEXT;

CREATE INDEX attempt_doubt ON attempt (id) WHERE doubt > 0;

-- What a callback said, stored before it is answered. A hint, never a proof.
CREATE TABLE callback (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    attempt INTEGER NOT NULL REFERENCES attempt (id),
    task    TEXT    NOT NULL,
    status  TEXT    NOT NULL
);
CREATE INDEX callback_attempt ON callback (attempt);

-- Tasks of the provider's list that nobody knows and that an unknown attempt may have made.
CREATE TABLE candidate (
    attempt    INTEGER NOT NULL REFERENCES attempt (id),
    task       TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    created_at INTEGER,                     -- milliseconds since 1970, by the provider's clock
    PRIMARY KEY (attempt, task)
) WITHOUT ROWID;

-- What the key had used at moments at which nothing was under way, and what this ledger had settled by then.
CREATE TABLE balance (
    at      INTEGER PRIMARY KEY,
    used    INTEGER NOT NULL,
    settled INTEGER NOT NULL
);

-- The times of the latest submissions, each in a row of its own.
DROP TABLE send;
CREATE TABLE send (number INTEGER PRIMARY KEY, at INTEGER NOT NULL);

DROP VIEW attempt_log;
CREATE VIEW attempt_log AS
SELECT job.id AS job_id, attempt.number, attempt.key AS idempotency_key, attempt.task AS task_id,
       attempt.outcome, attempt.why, attempt.http_status, attempt.request_id, attempt.sends, attempt.throttled,
       strftime('%Y-%m-%dT%H:%M:%fZ', attempt.intent_at / 1000.0, 'unixepoch') AS intended_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', attempt.answered_at / 1000.0, 'unixepoch') AS answered_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', attempt.ended_at / 1000.0, 'unixepoch') AS ended_at,
       attempt.estimate / 1e6 AS estimated_credits, attempt.reserved / 1e6 AS reserved_credits,
       attempt.used / 1e6 AS used_credits, attempt.cost / 1e6 AS cost_credits,
       CASE WHEN attempt.cost = 0 THEN 'free' WHEN attempt.used IS NOT NULL THEN 'used'
            WHEN attempt.reserved IS NOT NULL THEN 'reserved' ELSE 'estimate' END AS cost_source,
       lower(hex(attempt.body_sha256)) AS body_sha256, attempt.response,
       attempt.replays, attempt.doubt / 1e6 AS possibly_billed_credits
FROM attempt JOIN job ON job.seq = attempt.job;

CREATE VIEW decision_log AS
SELECT job.id AS job_id, strftime('%Y-%m-%dT%H:%M:%fZ', decision.at / 1000.0, 'unixepoch') AS decided_at,
       decision.kind, decision.detail, attempt.number AS attempt
FROM decision JOIN job ON job.seq = decision.job LEFT JOIN attempt ON attempt.id = decision.attempt;
