-- Version 1. A released version's text never changes: later versions append.
-- Times are milliseconds since 1970 in UTC; money is in millionths of a credit.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One row a job that any manifest of this folder has ever named.
CREATE TABLE job (
    seq         INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    fingerprint BLOB    NOT NULL,
    request     TEXT    NOT NULL,           -- canonical JSON
    path        TEXT    NOT NULL,           -- below images/, without extension
    axes        TEXT,                       -- JSON object, absent when empty
    meta        TEXT,                       -- JSON object, absent when empty
    n           INTEGER NOT NULL,
    width       INTEGER,
    height      INTEGER,
    estimate    INTEGER,                    -- absent for a model without a price
    want        INTEGER NOT NULL,           -- 0 run, 1 skip, 2 removed from the manifest
    origin      INTEGER NOT NULL,           -- why it is or was pending: 0 new, 1 changed, 2 ordered again
    state       INTEGER NOT NULL,           -- job::State
    tries       INTEGER NOT NULL DEFAULT 0, -- paid tries of this order
    due_at      INTEGER,                    -- a pending job is not submitted before
    attempt     INTEGER,                    -- the latest attempt
    code        TEXT,                       -- why it failed
    message     TEXT,
    billed      TEXT
);
CREATE INDEX job_state ON job (state, want);

-- One row a submission. Written before the request leaves.
CREATE TABLE attempt (
    id          INTEGER PRIMARY KEY,
    job         INTEGER NOT NULL REFERENCES job (seq),
    number      INTEGER NOT NULL,           -- counts a job's attempts from 1
    key         TEXT    NOT NULL,           -- Idempotency-Key
    fingerprint BLOB    NOT NULL,           -- what was asked for
    n           INTEGER NOT NULL,
    body        BLOB,                       -- the exact bytes; dropped once settled
    body_sha256 BLOB    NOT NULL,
    outcome     TEXT    NOT NULL,
    sends       INTEGER NOT NULL DEFAULT 1, -- requests that left with this key
    throttled   INTEGER NOT NULL DEFAULT 0, -- of these, answered with 429
    intent_at   INTEGER NOT NULL,
    answered_at INTEGER,
    ended_at    INTEGER,
    http_status INTEGER,
    request_id  TEXT,
    why         TEXT,                       -- of an outcome that is not a success
    response    TEXT,                       -- what came back, where nobody understood it
    task        TEXT,
    estimated_s INTEGER,                    -- the provider's estimated_time
    estimate    INTEGER,
    reserved    INTEGER,
    used        INTEGER,
    cost        INTEGER NOT NULL            -- held against the budget: used, else reserved, else estimate; 0 once proven free
);
CREATE INDEX attempt_job ON attempt (job);
CREATE INDEX attempt_task ON attempt (task) WHERE task IS NOT NULL;
CREATE INDEX attempt_open ON attempt (outcome) WHERE outcome IN ('open', 'unknown', 'accepted');

-- One row a picture of an attempt whose task completed.
CREATE TABLE image (
    attempt     INTEGER NOT NULL REFERENCES attempt (id),
    number      INTEGER NOT NULL,           -- from 1
    link        TEXT,                       -- dropped once saved
    expires_at  INTEGER,
    path        TEXT,                       -- below the output folder, once saved
    moving_from TEXT,                       -- a move that is decided and may not have happened
    sha256      BLOB,
    bytes       INTEGER,
    width       INTEGER,
    height      INTEGER,
    format      TEXT,
    saved_at    INTEGER,
    PRIMARY KEY (attempt, number)
) WITHOUT ROWID;
CREATE INDEX image_moving ON image (attempt) WHERE moving_from IS NOT NULL;

-- What all attempts together hold against the budget.
CREATE TABLE money (one INTEGER PRIMARY KEY CHECK (one = 1), committed INTEGER NOT NULL);
INSERT INTO money VALUES (1, 0);
CREATE TRIGGER attempt_reserves AFTER INSERT ON attempt WHEN new.cost <> 0 BEGIN
    UPDATE money SET committed = committed + new.cost;
END;
CREATE TRIGGER attempt_settles AFTER UPDATE OF cost ON attempt WHEN new.cost <> old.cost BEGIN
    UPDATE money SET committed = committed + new.cost - old.cost;
END;

-- A ring of the latest submissions' times: the pace survives a restart.
CREATE TABLE send (slot INTEGER PRIMARY KEY, at INTEGER NOT NULL);

-- Local references that were handed to the provider.
CREATE TABLE upload (sha256 BLOB PRIMARY KEY, url TEXT NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;

-- Decisions, by a person or a rule, that changed what a job's money is for.
CREATE TABLE decision (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    job     INTEGER NOT NULL REFERENCES job (seq),
    attempt INTEGER,
    kind    TEXT    NOT NULL,
    detail  TEXT
);

-- The public face: these columns keep their meaning.
CREATE VIEW job_status AS
SELECT id,
       CASE want WHEN 1 THEN 'skipped' WHEN 2 THEN 'removed' ELSE
       CASE state WHEN 0 THEN 'pending' WHEN 1 THEN 'submitting' WHEN 2 THEN 'submitted' WHEN 3 THEN 'ready'
                  WHEN 4 THEN 'unknown' WHEN 5 THEN 'failed' WHEN 6 THEN 'succeeded' END END AS status,
       lower(hex(fingerprint)) AS fingerprint,
       json_extract(request, '$.prompt') AS prompt,
       request, axes, meta, n, width, height,
       estimate / 1e6 AS estimated_credits,
       (SELECT sum(cost) FROM attempt WHERE attempt.job = job.seq) / 1e6 AS cost_credits,
       (SELECT count(*) FROM attempt WHERE attempt.job = job.seq) AS attempts,
       code AS failure_code, message AS failure_message, billed
FROM job;

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
       lower(hex(attempt.body_sha256)) AS body_sha256, attempt.response
FROM attempt JOIN job ON job.seq = attempt.job;

CREATE VIEW image_files AS
SELECT job.id AS job_id, image.number, image.path, lower(hex(image.sha256)) AS sha256, image.bytes,
       image.width, image.height, image.format, image.link,
       strftime('%Y-%m-%dT%H:%M:%fZ', image.expires_at / 1000.0, 'unixepoch') AS expires_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', image.saved_at / 1000.0, 'unixepoch') AS saved_at,
       image.path IS NOT NULL AND image.path LIKE 'replaced/%' AS replaced, attempt.task AS task_id
FROM image JOIN attempt ON attempt.id = image.attempt JOIN job ON job.seq = attempt.job;
