//! What happened to an attempt, written down. Loads the state, asks
//! `State::next`, writes; never acts.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::outcome::{Answer, Outcome, Recorded, SavedPicture, Taken, Via};
use super::start::now_ms;
use super::{LedgerError, Origin, Store};
use crate::job::{Credits, Event, Fingerprint, Raise, State};

/// A job and the attempt that something happened to.
#[derive(Clone)]
struct Case {
    job: i64,
    id: String,
    attempt: i64,
    state: State,
    outdated: bool,
    tries: u32,
    promised: Option<(u32, u32)>,
    /// The attempt that this one adds pictures to.
    continues: Option<i64>,
    /// The attempt is the job's latest, and its story is not over.
    open: bool,
    at: i64,
}

/// The pictures of an attempt that are not here.
struct Pictures {
    /// Some can be fetched.
    outstanding: bool,
    /// The links of some have to be asked for.
    unread: bool,
    /// Some never can.
    lost: bool,
}

impl Store {
    /// Fails a pending job whose request can't be sent as it is.
    pub fn unsendable(&self, job: i64, answer: &Answer) -> Result<(), LedgerError> {
        let (state, tops_up, attempt, continues): (i64, bool, Option<i64>, Option<i64>) = self
            .db
            .prepare_cached(
                "SELECT job.state, job.origin = ?2, attempt.id, attempt.continues
                 FROM job LEFT JOIN attempt ON attempt.id = job.attempt WHERE job.seq = ?1",
            )?
            .query_row([job, Origin::Short.number()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
        let state = state_of(state)?;
        if !tops_up {
            return self.fail_job(job, state.next(Event::Unsendable)?, answer, "no");
        }
        if let Some((attempt, earlier)) = attempt.zip(continues) {
            self.give_back(job, attempt, earlier)?;
        }
        self.set_state(job, state.next(Event::TopUpEnded)?)
    }

    /// Writes what happened to a job's latest attempt and where that leads.
    pub fn record(&self, job: i64, attempt: i64, outcome: Outcome) -> Result<Recorded, LedgerError> {
        let case = self.case(job, attempt)?;
        if !case.open && outcome.may_be_late() {
            return self.late(&case, &outcome);
        }
        match outcome {
            Outcome::Released { answer, throttled, left } => self.released(&case, &answer, throttled, left),
            Outcome::Refused(answer) => self.failed(&case, Event::Refused, "refused", &answer),
            Outcome::LostTrack { answer, response } => self.lost_track(&case, &answer, response.as_deref()),
            Outcome::Accepted(taken) => match self.owner_of(&taken.task)? {
                None => self.accepted(&case, &taken),
                // Its own task is nameless then, and perhaps billed.
                Some(owner) => self.lost_track(&case, &Answer::about_a_strangers_task(&taken, &owner), None),
            },
            Outcome::Completed { task, links, used, expires_at } => {
                self.completed(&case, &task, &links, used, expires_at)
            }
            // A task that had made its pictures before they went: they don't come back.
            Outcome::TaskFailed { answer, .. } if self.reads_earlier(case.attempt)? => {
                self.failed(&case, Event::Lost, "lost", &answer)
            }
            Outcome::TaskFailed { answer, again } => self.task_failed(&case, &answer, again),
            Outcome::Saved(picture) => self.saved(&case, &picture),
            Outcome::Lost { number, answer } => self.lost(&case, number, &answer),
            Outcome::FileMissing { numbers } => self.file_missing(&case, &numbers),
        }
    }

    fn case(&self, job: i64, attempt: i64) -> Result<Case, LedgerError> {
        let missing = || LedgerError::Contradiction(format!("job {job} has no attempt {attempt}"));
        self.db
            .prepare_cached(
                "SELECT job.state, job.fingerprint <> attempt.fingerprint, job.tries, job.id, job.width, job.height,
                 job.attempt = attempt.id, attempt.continues
                 FROM job JOIN attempt ON attempt.job = job.seq WHERE job.seq = ?1 AND attempt.id = ?2",
            )?
            .query_row([job, attempt], |row| {
                let (state, outdated): (i64, bool) = (row.get(0)?, row.get(1)?);
                let size: (Option<u32>, Option<u32>) = (row.get(4)?, row.get(5)?);
                let promised = Option::zip(size.0, size.1).filter(|_| !outdated);
                let (tries, id, latest, at) = (row.get(2)?, row.get(3)?, row.get::<_, bool>(6)?, now_ms());
                let continues = row.get(7)?;
                Ok(state_of(state).map(|state| {
                    let open = latest && state.may_be_paid_and_open();
                    Case { job, id, attempt, state, outdated, tries, promised, continues, open, at }
                }))
            })
            .optional()?
            .ok_or_else(missing)?
    }

    /// Two steps of one attempt may end in any order: what comes after the
    /// end changes no state. A picture that arrives late is kept all the same.
    fn late(&self, case: &Case, outcome: &Outcome) -> Result<Recorded, LedgerError> {
        if let Outcome::Saved(picture) = outcome {
            self.keep_picture(case, picture)?;
        }
        Ok(Recorded { stale: true, ..case.now(case.state) })
    }

    /// A link is dead for good. The job fails once nothing else of the
    /// attempt is to be fetched.
    fn lost(&self, case: &Case, number: Option<u32>, answer: &Answer) -> Result<Recorded, LedgerError> {
        if let Some(number) = number {
            self.db
                // With a time of expiry it is lost; without one its task is to be read.
                .prepare_cached(
                    "UPDATE image SET link = NULL, expires_at = ifnull(expires_at, ?3) WHERE attempt = ?1 AND number = ?2",
                )?
                .execute(params![case.attempt, number, case.at])?;
            let pictures = self.pictures(case.attempt)?;
            if pictures.outstanding {
                return Ok(case.now(case.state));
            }
            match case.state {
                State::Ready if pictures.unread => return self.read_on(case),
                State::Submitted if pictures.unread => return Ok(case.now(case.state)),
                _ => {}
            }
        }
        self.failed(case, Event::Lost, "lost", answer)
    }

    fn pictures(&self, attempt: i64) -> Result<Pictures, LedgerError> {
        Ok(self
            .db
            .prepare_cached(
                "SELECT ifnull(max(link IS NOT NULL), 0), ifnull(max(link IS NULL AND expires_at IS NULL), 0),
                        ifnull(max(link IS NULL AND expires_at IS NOT NULL), 0)
                 FROM image WHERE attempt = ?1 AND saved_at IS NULL",
            )?
            .query_row([attempt], |row| {
                Ok(Pictures { outstanding: row.get(0)?, unread: row.get(1)?, lost: row.get(2)? })
            })?)
    }

    /// The pictures of one task are here; those of another have to be asked for.
    fn read_on(&self, case: &Case) -> Result<Recorded, LedgerError> {
        let next = case.state.next(Event::MoreToRead)?;
        self.set_state(case.job, next)?;
        Ok(Recorded { look: Some(Box::new(self.in_flight_of(case.attempt)?)), ..case.now(next) })
    }

    fn released(
        &self,
        case: &Case,
        answer: &Answer,
        throttled: bool,
        left: bool,
    ) -> Result<Recorded, LedgerError> {
        let next = case.state.next(Event::Released)?;
        self.db
            .prepare_cached(
                "UPDATE attempt SET outcome = 'released', answered_at = ?2, http_status = ?3, request_id = ?4, why = ?5,
                 throttled = throttled + ?6, sends = sends - ?7, cost = 0 WHERE id = ?1",
            )?
            .execute(params![
                case.attempt,
                case.at,
                answer.http_status,
                answer.request_id,
                answer.to_string(),
                throttled,
                !left
            ])?;
        self.db
            .prepare_cached("UPDATE job SET state = ?2, tries = tries - 1 WHERE seq = ?1")?
            .execute(params![case.job, next.number()])?;
        Ok(case.now(next))
    }

    /// A terminal failure. Refused submissions are free; what is lost stays paid.
    fn failed(
        &self,
        case: &Case,
        event: Event,
        outcome: &str,
        answer: &Answer,
    ) -> Result<Recorded, LedgerError> {
        let paid = event == Event::Lost;
        let next = match case.added_to().filter(|_| !paid) {
            Some(_) => case.state.next(Event::TopUpEnded)?,
            None => case.state.next(event)?,
        };
        self.db
            .prepare_cached(
                "UPDATE attempt SET outcome = ?2, ended_at = ?3, answered_at = ifnull(answered_at, ?3), why = ?4, body = NULL,
                 http_status = ifnull(?5, http_status), request_id = ifnull(?6, request_id),
                 cost = CASE WHEN ?7 THEN cost ELSE 0 END WHERE id = ?1",
            )?
            .execute(params![
                case.attempt,
                outcome,
                case.at,
                answer.to_string(),
                answer.http_status,
                answer.request_id,
                paid
            ])?;
        match case.added_to().filter(|_| !paid) {
            Some(earlier) => {
                self.give_back(case.job, case.attempt, earlier)?;
                self.set_state(case.job, next)?;
            }
            None => self.fail_job(case.job, next, answer, if paid { "yes" } else { "no" })?,
        }
        Ok(case.now(next))
    }

    pub(super) fn fail_job(
        &self,
        job: i64,
        next: State,
        answer: &Answer,
        billed: &str,
    ) -> Result<(), LedgerError> {
        self.db
            .prepare_cached("UPDATE job SET state = ?2, code = ?3, message = ?4, billed = ?5 WHERE seq = ?1")?
            .execute(params![job, next.number(), answer.code, answer.message, billed])?;
        Ok(())
    }

    fn lost_track(
        &self,
        case: &Case,
        answer: &Answer,
        response: Option<&str>,
    ) -> Result<Recorded, LedgerError> {
        let next = case.state.next(Event::LostTrack)?;
        self.db
            .prepare_cached(
                "UPDATE attempt SET outcome = 'unknown', answered_at = ?2, http_status = ?3, request_id = ?4, why = ?5, response = ?6
                 WHERE id = ?1",
            )?
            .execute(params![
                case.attempt,
                case.at,
                answer.http_status,
                answer.request_id,
                answer.to_string(),
                response
            ])?;
        self.set_state(case.job, next)?;
        Ok(case.now(next))
    }

    fn accepted(&self, case: &Case, taken: &Taken) -> Result<Recorded, LedgerError> {
        let next = case.state.next(Event::Accepted)?;
        self.db
            .prepare_cached(
                // The right side of each assignment sees the row as it was: an earlier arrival's hold becomes the doubt.
                "UPDATE attempt SET outcome = 'accepted', answered_at = ?2, task = ?3, estimated_s = ?4, reserved = ?5,
                 request_id = ifnull(?6, request_id), doubt = doubt + CASE WHEN ?7 THEN cost ELSE 0 END,
                 cost = coalesce(?5, estimate, 0) + doubt + CASE WHEN ?7 THEN cost ELSE 0 END,
                 body = NULL, response = NULL, why = NULL WHERE id = ?1",
            )?
            .execute(params![
                case.attempt,
                case.at,
                taken.task,
                taken.estimated.map(|estimated| estimated.as_secs() as i64),
                taken.reserved.map(Credits::micro),
                taken.request_id,
                taken.via == Via::FreshReplay
            ])?;
        self.set_state(case.job, next)?;
        if let Some(kind) = taken.via.decision() {
            self.decided(case.job, Some(case.attempt), kind, Some(&taken.task))?;
        }
        crash_point!("answer-uncommitted");
        Ok(Recorded { raise: self.compare(case, taken.reserved)?, ..case.now(next) })
    }

    fn completed(
        &self,
        case: &Case,
        task: &str,
        links: &[String],
        used: Option<Credits>,
        expires_at: i64,
    ) -> Result<Recorded, LedgerError> {
        let next = case.state.next(Event::Completed)?;
        let source = case.continues.map_or(Ok(None), |_| self.source_of(case.job, case.attempt, task))?;
        // The figures of an earlier attempt were settled when its own pictures came.
        let used = used.filter(|_| source.is_none());
        self.db
            .prepare_cached(
                "UPDATE attempt SET outcome = 'completed', ended_at = ?2, used = ifnull(?3, used),
                 cost = coalesce(?3, used, reserved, estimate, 0) + doubt WHERE id = ?1",
            )?
            .execute(params![case.attempt, case.at, used.map(Credits::micro)])?;
        self.add_links(case.attempt, source, links, expires_at)?;
        self.set_state(case.job, next)?;
        let raise = self.compare(case, used)?;
        let fetch = self.to_fetch(case.attempt)?;
        if fetch.is_empty() {
            let pictures = self.pictures(case.attempt)?;
            let ready = Case { state: next, ..case.clone() };
            if pictures.unread {
                return Ok(Recorded { before: case.state, raise, ..self.read_on(&ready)? });
            }
            if pictures.lost {
                let lost = self.failed(&ready, Event::Lost, "lost", &Answer::about_lost_pictures())?;
                return Ok(Recorded { before: case.state, raise, ..lost });
            }
        }
        Ok(Recorded { fetch, raise, ..case.now(next) })
    }

    /// An earlier version of a job says nothing about the present estimate.
    fn compare(&self, case: &Case, figure: Option<Credits>) -> Result<Option<Raise>, LedgerError> {
        match figure.filter(|_| !case.outdated) {
            Some(figure) => self.learn(case.job, case.attempt, figure),
            None => Ok(None),
        }
    }

    fn task_failed(
        &self,
        case: &Case,
        answer: &Answer,
        again: Option<Duration>,
    ) -> Result<Recorded, LedgerError> {
        // An outdated job is bought in its new version, which costs no further try of the old one.
        let again_or_over = Event::TaskFailed { again: again.is_some() || case.outdated };
        let adds_nothing = case.added_to().filter(|_| again.is_none());
        let next = case.state.next(if adds_nothing.is_some() { Event::TopUpEnded } else { again_or_over })?;
        self.db
            .prepare_cached(
                "UPDATE attempt SET outcome = 'failed', ended_at = ?2, why = ?3, cost = doubt WHERE id = ?1",
            )?
            .execute(params![case.attempt, case.at, answer.to_string()])?;
        self.db
            .prepare_cached("DELETE FROM image WHERE attempt = ?1 AND saved_at IS NULL")?
            .execute([case.attempt])?;
        if let Some(earlier) = case.added_to() {
            self.give_back(case.job, case.attempt, earlier)?;
        }
        if next == State::Done {
            self.set_state(case.job, next)?;
            return Ok(case.now(next));
        }
        if next == State::Failed {
            self.fail_job(case.job, next, answer, "no")?;
            return Ok(case.now(next));
        }
        let due_at = again.map(|wait| case.at + wait.as_millis() as i64);
        let tries = if case.outdated { 0 } else { case.tries };
        self.db
            .prepare_cached("UPDATE job SET state = ?2, due_at = ?3, tries = ?4 WHERE seq = ?1")?
            .execute(params![case.job, next.number(), due_at, tries])?;
        Ok(Recorded { due_at, ..case.now(next) })
    }

    fn saved(&self, case: &Case, picture: &SavedPicture) -> Result<Recorded, LedgerError> {
        self.keep_picture(case, picture)?;
        let pictures = self.pictures(case.attempt)?;
        if pictures.unread && !pictures.outstanding {
            return self.read_on(case);
        }
        if pictures.lost && !pictures.outstanding {
            return self.failed(case, Event::Lost, "lost", &Answer::about_lost_pictures());
        }
        let next = case.state.next(Event::Saved { last: !pictures.outstanding, outdated: case.outdated })?;
        let tries = if next == State::Pending { 0 } else { case.tries };
        self.db
            .prepare_cached(
                "UPDATE job SET state = ?2, tries = ?3, code = NULL, message = NULL, billed = NULL WHERE seq = ?1",
            )?
            .execute(params![case.job, next.number(), tries])?;
        Ok(case.now(next))
    }

    fn keep_picture(&self, case: &Case, picture: &SavedPicture) -> Result<(), LedgerError> {
        self.db
            .prepare_cached(
                "UPDATE image SET link = NULL, path = ?3, sha256 = ?4, bytes = ?5, width = ?6, height = ?7, format = ?8, saved_at = ?9
                 WHERE attempt = ?1 AND number = ?2",
            )?
            .execute(params![
                case.attempt,
                picture.number,
                picture.path,
                picture.sha256.as_bytes(),
                picture.bytes as i64,
                picture.width,
                picture.height,
                picture.format,
                case.at
            ])?;
        Ok(())
    }

    fn file_missing(&self, case: &Case, numbers: &[u32]) -> Result<Recorded, LedgerError> {
        let next = case.state.next(Event::FileMissing)?;
        let mut forget = self
            .db
            .prepare_cached("UPDATE image SET path = NULL, moving_from = NULL, saved_at = NULL, expires_at = NULL WHERE attempt = ?1 AND number = ?2")?;
        for number in numbers {
            forget.execute(params![case.attempt, number])?;
        }
        self.db
            .prepare_cached("UPDATE attempt SET outcome = 'accepted' WHERE id = ?1")?
            .execute([case.attempt])?;
        self.set_state(case.job, next)?;
        let look = Some(Box::new(self.in_flight_of(case.attempt)?));
        Ok(Recorded { look, ..case.now(next) })
    }

    pub(super) fn set_state(&self, job: i64, state: State) -> Result<(), LedgerError> {
        self.db
            .prepare_cached("UPDATE job SET state = ?2 WHERE seq = ?1")?
            .execute(params![job, state.number()])?;
        Ok(())
    }

    pub(super) fn attempt_is_undecided(&self, attempt: i64) -> Result<bool, LedgerError> {
        let outcome: Option<String> = self
            .db
            .query_row("SELECT outcome FROM attempt WHERE id = ?1", [attempt], |row| row.get(0))
            .optional()?;
        Ok(outcome.is_some_and(|outcome| outcome == "open" || outcome == "unknown"))
    }
}

impl Case {
    /// The attempt whose pictures stand where this one brings none. An
    /// outdated one is the past of a job that wants something else.
    fn added_to(&self) -> Option<i64> {
        self.continues.filter(|_| !self.outdated)
    }

    fn now(&self, state: State) -> Recorded {
        Recorded {
            id: self.id.clone(),
            before: self.state,
            state,
            stale: false,
            fetch: Vec::new(),
            look: None,
            due_at: None,
            promised: self.promised,
            raise: None,
        }
    }
}

/// The state behind a stored number.
pub(super) fn state_of(number: i64) -> Result<State, LedgerError> {
    State::from_number(number).ok_or_else(|| LedgerError::Contradiction(format!("a job has state {number}")))
}

/// The fingerprint behind a stored hash.
pub(super) fn fingerprint_of(bytes: &[u8]) -> Result<Fingerprint, LedgerError> {
    Fingerprint::from_slice(bytes)
        .ok_or_else(|| LedgerError::Contradiction(format!("a fingerprint has {} bytes", bytes.len())))
}
