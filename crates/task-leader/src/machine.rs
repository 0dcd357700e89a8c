//! Who leads, as a pure function of what was read and written, and of time.
//!
//! The shell carries out what [`step`](Machine::step) asks for, one request at a time, and says what
//! came of it and when. Why at most one term is valid at a time:
//!
//! - A leader counts the validity of its lease from the instant before the write was *sent*, so it
//!   ends before anybody who saw the written version, which is later, has waited for a lease.
//! - A follower counts from the instant at which it *first saw* a version, by its own clock. No
//!   clock is compared with another one.
//! - Every write is made only if the register has the version that the writer last saw, so one that
//!   is applied late, or twice, changes nothing that was decided since.
//! - An answer that was lost is read, never guessed. A follower that finds itself as the holder
//!   takes a *new* term: nothing may have been promised in the old one.

use std::time::Duration;

use task_core::Backoff;

use crate::{
    Times,
    clock::At,
    register::{Record, Version, Written},
};

/// The longest wait of a follower that cannot reach the register, unless `retry` is longer.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// Followers that see a release do not all write at once.
const SPREAD: Duration = Duration::from_millis(100);
/// The shortest time between two reads of a follower that is notified of changes.
const BETWEEN_READS: Duration = Duration::from_millis(20);

/// What the shell is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Read,
    Write(Purpose, Record, Option<Version>),
    /// Nothing until this instant, or until something happens; never, if there is none.
    Wait(Option<At>),
    /// Nothing any more.
    Over,
}

/// What a write is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Campaign,
    Renew,
    Release,
}

/// Why a leader leads no more. An orderly stop has no reason of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It could not renew its lease in time.
    Deadline,
    /// A read has shown that the lease is no longer its own.
    Taken,
    /// It was asked to.
    StepDown,
}

#[derive(Clone, Debug)]
pub(crate) struct Machine {
    identity: String,
    times: Times,
    random: fastrand::Rng,
    state: State,
    /// The highest term that was seen.
    highest: u64,
    /// No further term begins here.
    is_ending: bool,
    /// The register has answered at least once.
    pub(crate) has_answered: bool,
    /// Failures in a row.
    failures: u32,
    last_read: At,
    seen: Option<Seen>,
    /// The version that a campaign replaces whose answer was lost, and which may still be applied.
    unanswered: Option<Option<Version>>,
}

#[derive(Clone, Debug)]
enum State {
    Following(Next, At),
    Leading(Lead),
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Read,
    Campaign,
}

/// What a follower knows of the register.
#[derive(Clone, Debug)]
struct Seen {
    record: Record,
    version: Version,
    /// When this version was first seen.
    since: At,
}

#[derive(Clone, Debug)]
struct Lead {
    record: Record,
    version: Version,
    /// The instant before the last renewal that succeeded was sent.
    sent: At,
    next_at: At,
    /// Whether a write may have been applied whose answer is not known.
    is_unsure: bool,
    why: Option<Why>,
    /// The lease is no longer renewed.
    is_lost: bool,
    /// Nothing of the term is alive any more.
    is_over: bool,
    /// Reads and writes that were made for the release.
    releases: u32,
}

impl Machine {
    pub(crate) fn new(identity: String, times: Times, seed: u64) -> Self {
        Self {
            identity,
            times,
            random: fastrand::Rng::with_seed(seed),
            state: State::Following(Next::Read, At::ZERO),
            highest: 0,
            is_ending: false,
            has_answered: false,
            failures: 0,
            last_read: At::ZERO,
            seen: None,
            unanswered: None,
        }
    }

    pub(crate) fn set_times(&mut self, times: Times) {
        self.times = times;
    }

    pub(crate) fn set_identity(&mut self, identity: String) {
        self.identity = identity;
    }

    /// Returns what is to be done at this instant.
    pub(crate) fn step(&mut self, now: At) -> Step {
        self.look(now);
        if self.is_ending
            && let State::Following(..) = self.state
        {
            // A campaign that may have been applied is looked for, once, to be released.
            if self.unanswered.is_none() {
                self.state = State::Over;
            } else {
                return Step::Read;
            }
        }
        match &self.state {
            State::Over => Step::Over,
            State::Following(_, at) if now < *at => Step::Wait(Some(*at)),
            State::Following(Next::Read, _) => Step::Read,
            State::Following(Next::Campaign, _) => {
                let seen = self.seen.as_ref();
                let record = Record {
                    holder: Some(self.identity.clone()),
                    term: self.highest.saturating_add(1),
                    renewals: 0,
                    lease: self.times.lease(),
                };
                let old = seen.map(|seen| seen.version.clone());
                Step::Write(Purpose::Campaign, record, old)
            }
            State::Leading(lead) if lead.is_over => {
                if lead.is_unsure {
                    return Step::Read;
                }
                let record = Record { holder: None, ..lead.next_record() };
                Step::Write(Purpose::Release, record, Some(lead.version.clone()))
            }
            State::Leading(lead) if lead.is_lost => Step::Wait(None),
            State::Leading(lead) if now < lead.next_at => Step::Wait(Some(lead.next_at)),
            State::Leading(lead) if lead.is_unsure => Step::Read,
            State::Leading(lead) => {
                Step::Write(Purpose::Renew, lead.next_record(), Some(lead.version.clone()))
            }
        }
    }

    /// Sees whether the deadline of a leader has passed. From then on its lease is not renewed.
    pub(crate) fn look(&mut self, now: At) {
        if let State::Leading(lead) = &mut self.state
            && !lead.is_over
            && !lead.is_lost
            && now >= lead.sent + self.times.deadline()
        {
            lead.is_lost = true;
            lead.why.get_or_insert(Why::Deadline);
        }
    }

    /// Takes the answer to a read.
    pub(crate) fn read(&mut self, now: At, answer: Option<Option<(Record, Version)>>) {
        self.look(now);
        self.last_read = now;
        let Some(found) = answer else { return self.read_failed(now) };
        self.answered();
        if let Some((record, _)) = &found {
            self.highest = self.highest.max(record.term);
        }
        match &mut self.state {
            State::Over => {}
            State::Leading(lead) => {
                lead.is_unsure = false;
                match found {
                    Some((record, version)) if lead.is_own(&record) => {
                        lead.record = record;
                        lead.version = version;
                        // The validity is not: when it was sent is not known.
                        lead.next_at = now;
                        self.released_in_vain();
                    }
                    found => self.taken(now, found),
                }
            }
            State::Following(..) => {
                if let Some(old) = &self.unanswered
                    && *old != found.as_ref().map(|(_, version)| version.clone())
                {
                    self.unanswered = None; // it was applied by now, or never will be
                }
                match found {
                    Some((record, version)) => self.found(now, record, version),
                    None => {
                        self.seen = None;
                        self.state = State::Following(Next::Campaign, now);
                    }
                }
                if self.is_ending
                    && let State::Following(..) = self.state
                {
                    self.state = State::Over;
                }
            }
        }
    }

    /// Takes the answer to a write that was sent at `sent`; `None` if it is not known.
    pub(crate) fn wrote(
        &mut self,
        purpose: Purpose,
        record: Record,
        old: Option<Version>,
        sent: At,
        now: At,
        answer: Option<Written>,
    ) {
        self.look(now);
        match answer {
            Some(_) => self.answered(),
            None => self.failures = self.failures.saturating_add(1),
        }
        match (purpose, answer) {
            (Purpose::Campaign, Some(Written::Ok { version, term })) => {
                self.unanswered = None;
                self.highest = self.highest.max(term);
                // An answer that comes too late, or after the stop, begins nothing: no work was
                // done in the term, which is released.
                let is_late = self.is_ending || now >= sent + self.times.deadline();
                self.state = State::Leading(Lead {
                    record: Record { term, ..record },
                    version,
                    sent,
                    next_at: sent + self.times.retry(),
                    is_unsure: false,
                    why: None,
                    is_lost: is_late,
                    is_over: is_late,
                    releases: 0,
                });
            }
            (Purpose::Campaign, Some(Written::Changed)) => self.follow(now),
            (Purpose::Campaign, None) => {
                self.unanswered = Some(old);
                self.state = State::Following(Next::Read, now + self.backoff());
            }
            (Purpose::Renew, answer) => {
                let retry = self.times.retry();
                let State::Leading(lead) = &mut self.state else { return };
                match answer {
                    Some(Written::Ok { version, .. }) => {
                        lead.version = version;
                        lead.record = record;
                        lead.next_at = sent + retry;
                        // A success after the deadline changes nothing: the task was asked to end.
                        if !lead.is_lost {
                            lead.sent = sent;
                        }
                    }
                    Some(Written::Changed) => {
                        lead.is_unsure = true;
                        lead.next_at = now;
                    }
                    None => {
                        lead.is_unsure = true;
                        lead.next_at = sent + retry;
                    }
                }
            }
            (Purpose::Release, Some(Written::Changed)) => {
                if let State::Leading(lead) = &mut self.state {
                    lead.is_unsure = true; // perhaps by a renewal of ours
                }
                self.released_in_vain();
            }
            (Purpose::Release, Some(Written::Ok { .. }) | None) => self.released(now),
        }
    }

    /// Takes the notice that the register may have changed.
    pub(crate) fn changed(&mut self, now: At) {
        let soonest = now.max(self.last_read + BETWEEN_READS);
        if let State::Following(next, at) = &mut self.state
            && soonest < *at
            && self.failures == 0
        {
            (*next, *at) = (Next::Read, soonest);
        }
    }

    /// Lets no further term begin.
    pub(crate) fn end(&mut self) {
        self.is_ending = true;
    }

    /// Asks a leader to step down. Returns whether there is one that was not asked before.
    pub(crate) fn step_down(&mut self, now: At) -> bool {
        self.look(now);
        match &mut self.state {
            State::Leading(lead) if lead.why.is_none() && !lead.is_over => {
                lead.why = Some(Why::StepDown);
                true
            }
            _ => false,
        }
    }

    /// Records that nothing of the term is alive any more.
    pub(crate) fn term_over(&mut self, now: At) {
        self.look(now);
        if let State::Leading(lead) = &mut self.state {
            lead.is_over = true;
            lead.next_at = now;
            if lead.why == Some(Why::Taken) {
                self.released(now);
            }
        }
    }

    /// Returns the term that has work in it, with when its lease ends.
    pub(crate) fn lead(&self) -> Option<(u64, At)> {
        match &self.state {
            State::Leading(lead) if !lead.is_over => {
                Some((lead.record.term, lead.sent + self.times.lease()))
            }
            _ => None,
        }
    }

    /// Returns when the leader's deadline passes, and why it leads no more.
    pub(crate) fn end_of_lead(&self) -> Option<(At, Option<Why>)> {
        match &self.state {
            State::Leading(lead) => Some((lead.sent + self.times.deadline(), lead.why)),
            _ => None,
        }
    }

    /// Returns whether the lease is no longer renewed.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(&self.state, State::Leading(lead) if lead.is_lost)
    }

    /// Returns the other replica that holds the lease, with its term.
    pub(crate) fn holder(&self) -> Option<(&str, u64)> {
        let seen = self.seen.as_ref()?;
        let holder = seen.record.holder.as_deref()?;
        Some((holder, seen.record.term))
    }

    /// Returns the highest term that is known.
    pub(crate) fn term(&self) -> u64 {
        self.highest
    }

    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    pub(crate) fn times(&self) -> Times {
        self.times
    }

    fn answered(&mut self) {
        self.has_answered = true;
        self.failures = 0;
    }

    fn backoff(&mut self) -> Duration {
        let retry = self.times.retry();
        let backoff = Backoff::new(retry, LONGEST_BACKOFF.max(retry)).unwrap_or_default();
        backoff.wait(self.failures, self.random.u64(..))
    }

    fn read_failed(&mut self, now: At) {
        self.failures = self.failures.saturating_add(1);
        let wait = self.backoff();
        let retry = self.times.retry();
        match &mut self.state {
            State::Over => {}
            State::Following(..) if self.is_ending => self.state = State::Over,
            State::Following(next, at) => (*next, *at) = (Next::Read, now + wait),
            State::Leading(lead) if lead.is_over => self.released(now),
            State::Leading(lead) => lead.next_at = now + retry,
        }
    }

    /// A follower has read a record.
    fn found(&mut self, now: At, record: Record, version: Version) {
        let (lease, is_own) = (record.lease, record.holder.as_ref() == Some(&self.identity));
        let is_free = record.holder.is_none();
        match &mut self.seen {
            Some(seen) if seen.version == version => {}
            seen => {
                *seen = Some(Seen { record, version, since: now });
            }
        }
        if is_own {
            // Of a campaign whose answer was lost, or of a term that is over.
            self.state = if self.is_ending {
                self.late_campaign(now)
            } else {
                State::Following(Next::Campaign, now)
            };
            return;
        }
        if is_free {
            self.state = State::Following(Next::Campaign, now + self.random_part(SPREAD));
            return;
        }
        let since = self.seen.as_ref().map_or(now, |seen| seen.since);
        let expires = since.saturating_add(lease).max(now);
        let retry = self.times.retry();
        let poll = now + retry - self.random_part(retry / 2);
        self.state = if expires <= poll {
            State::Following(Next::Campaign, expires)
        } else {
            State::Following(Next::Read, poll)
        };
    }

    /// A replica that is ending holds a lease that it did not know of, and releases it.
    fn late_campaign(&mut self, now: At) -> State {
        match self.seen.take() {
            Some(Seen { record, version, .. }) => State::Leading(Lead {
                record,
                version,
                sent: now,
                next_at: now,
                is_unsure: false,
                why: None,
                is_lost: true,
                is_over: true,
                releases: 0,
            }),
            None => State::Over,
        }
    }

    /// A leader has read that the lease is not its own.
    fn taken(&mut self, now: At, found: Option<(Record, Version)>) {
        self.seen = found.map(|(record, version)| Seen { record, version, since: now });
        let State::Leading(lead) = &mut self.state else { return };
        lead.is_lost = true;
        if lead.is_over {
            return self.released(now);
        }
        // Over an earlier reason: there is no time left, whatever it was.
        lead.why = Some(Why::Taken);
    }

    /// Counts an attempt of the release that has to be followed by another.
    fn released_in_vain(&mut self) {
        const MOST: u32 = 4;
        let now = self.last_read;
        if let State::Leading(lead) = &mut self.state
            && lead.is_over
        {
            lead.releases += 1;
            if lead.releases > MOST {
                self.released(now);
            }
        }
    }

    fn released(&mut self, now: At) {
        let has_stepped_down =
            matches!(&self.state, State::Leading(lead) if lead.why == Some(Why::StepDown));
        // Others have time to take over from one that was asked to step down.
        let wait = if has_stepped_down { self.times.retry() * 2 } else { Duration::ZERO };
        self.follow(now + wait);
    }

    fn follow(&mut self, at: At) {
        self.state = if self.is_ending && self.unanswered.is_none() {
            State::Over
        } else {
            State::Following(Next::Read, at)
        };
    }

    fn random_part(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.f64())
    }
}

impl Lead {
    fn is_own(&self, record: &Record) -> bool {
        record.holder == self.record.holder && record.term == self.record.term
    }

    fn next_record(&self) -> Record {
        Record { renewals: self.record.renewals.saturating_add(1), ..self.record.clone() }
    }
}

impl Why {
    /// Returns it in a few words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Deadline => "it could not be renewed in time",
            Self::Taken => "the lease is no longer this replica's",
            Self::StepDown => "it was asked to step down",
        }
    }
}
