-- Version 4: the jobs that are done, for a start that compares them with the folder.
CREATE INDEX job_done ON job (attempt, want) WHERE state = 6;
