-- Version 5: short results are topped up. An attempt may add pictures to those of an earlier one.

-- The attempt whose pictures this one took over; absent for one that began anew.
ALTER TABLE attempt ADD COLUMN continues INTEGER REFERENCES attempt (id);
-- The attempt that bought the picture, where that is an earlier one than the one it stands under.
ALTER TABLE image ADD COLUMN source INTEGER REFERENCES attempt (id);
CREATE INDEX image_source ON image (source, attempt) WHERE source IS NOT NULL;

DROP VIEW image_files;
CREATE VIEW image_files AS
SELECT job.id AS job_id, image.number, image.path, lower(hex(image.sha256)) AS sha256, image.bytes,
       image.width, image.height, image.format, image.link,
       strftime('%Y-%m-%dT%H:%M:%fZ', image.expires_at / 1000.0, 'unixepoch') AS expires_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', image.saved_at / 1000.0, 'unixepoch') AS saved_at,
       image.path IS NOT NULL AND image.path LIKE 'replaced/%' AS replaced, maker.task AS task_id
FROM image JOIN attempt ON attempt.id = image.attempt JOIN job ON job.seq = attempt.job
           JOIN attempt maker ON maker.id = ifnull(image.source, image.attempt);
