//! A model of replicas, a register and all that can go wrong between them: at most one term is
//! alive at a time, terms only grow, and somebody leads in the end.
//!
//! The machine is the real one. The shell is modelled, and can be given a mistake, which the model
//! has to find.

use std::time::Duration;

use fastrand::Rng;

use crate::{
    Record, Times, Version, Written,
    clock::At,
    machine::{Machine, Purpose, Step},
};

const NODES: usize = 3;
const TICK: Duration = Duration::from_millis(250);
/// For how long there are faults, and for how long there are none.
const FAULTY: u32 = 480;
const CALM: u32 = 240;

/// A mistake of the shell, or of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// The validity is counted from the answer.
    FromAnswer,
    /// The lease is released while something of the term is alive.
    EarlyRelease,
    /// A write is applied though the register has changed.
    Unconditional,
    /// A campaign whose answer was lost counts as won once it is read.
    LateCampaign,
    /// A follower takes what it sees first for as old as its clock.
    FirstLook,
    /// The end of the process is not kept.
    NoFuse,
}

#[derive(Default)]
struct Register {
    record: Option<Record>,
    highest: u64,
}

impl Register {
    fn version(&self) -> Option<Version> {
        self.record.as_ref().map(Version::of)
    }

    fn write(&mut self, new: &Record, old: Option<&Version>, mistake: Mistake) -> Written {
        if self.version().as_ref() != old && mistake != Mistake::Unconditional {
            return Written::Changed;
        }
        if new.renewals == 0 {
            assert!(new.term > self.highest, "terms only grow");
            self.highest = new.term;
        }
        self.record = Some(new.clone());
        Written::Ok { version: Version::of(new), term: new.term }
    }
}

/// A request on its way.
struct Request {
    step: Step,
    sent: At,
    applied_at: At,
    answered_at: At,
    /// The answer, once it is applied.
    answer: Option<Answer>,
    is_applied: bool,
}

enum Answer {
    Read(Option<(Record, Version)>),
    Written(Written),
}

struct Node {
    machine: Machine,
    request: Option<Request>,
    /// The term whose work is alive, and when its process ends.
    alive: Option<(u64, At)>,
    /// When the inner task has ended, once it was asked to.
    ends_at: Option<At>,
    /// It does nothing until then.
    frozen_until: At,
    lost_campaign: Option<Record>,
    /// It is being stopped.
    is_stopping: bool,
}

struct World {
    now: At,
    random: Rng,
    mistake: Mistake,
    register: Register,
    nodes: Vec<Node>,
    /// Writes whose sender no longer waits for them.
    late: Vec<(At, Record, Option<Version>)>,
    born: u64,
}

impl World {
    fn new(seed: u64, mistake: Mistake) -> Self {
        let mut world = Self {
            now: At::ZERO,
            random: Rng::with_seed(seed),
            mistake,
            register: Register::default(),
            nodes: Vec::new(),
            late: Vec::new(),
            born: 0,
        };
        for _ in 0..NODES {
            let node = world.node();
            world.nodes.push(node);
        }
        world
    }

    fn node(&mut self) -> Node {
        self.born += 1;
        let identity = format!("node-{}", self.born);
        Node {
            machine: Machine::new(identity, Times::default(), self.random.u64(..)),
            request: None,
            alive: None,
            ends_at: None,
            frozen_until: At::ZERO,
            lost_campaign: None,
            is_stopping: false,
        }
    }

    /// Returns whether this happens, one time in `n`.
    fn one_in(&mut self, n: u32, is_calm: bool) -> bool {
        !is_calm && self.random.u32(0..n) == 0
    }

    fn delay(&mut self, is_calm: bool) -> Duration {
        if self.one_in(12, is_calm) {
            TICK * self.random.u32(8..80)
        } else {
            TICK * self.random.u32(0..3)
        }
    }

    fn tick(&mut self, is_calm: bool) -> Result<(), String> {
        self.now += TICK;
        let now = self.now;
        let mut late = std::mem::take(&mut self.late);
        late.retain(|(at, record, old)| {
            if *at > now {
                return true;
            }
            // A late campaign of a term that was taken meanwhile is one that is refused.
            let _ = self.register.write(record, old.as_ref(), Mistake::None);
            false
        });
        self.late.append(&mut late);
        for index in 0..self.nodes.len() {
            self.turn(index, is_calm);
        }
        let alive: Vec<_> = self
            .nodes
            .iter()
            // A process that is stopped does nothing, and ends when it goes on.
            .filter(|node| node.frozen_until <= now)
            .filter_map(|node| node.alive.map(|(term, _)| term))
            .collect();
        if alive.len() > 1 { Err(format!("terms {alive:?} are alive at {now:?}")) } else { Ok(()) }
    }

    fn turn(&mut self, index: usize, is_calm: bool) {
        let now = self.now;
        if self.one_in(600, is_calm) {
            self.nodes[index].frozen_until = now + TICK * self.random.u32(1..120);
        }
        if self.one_in(1500, is_calm) {
            self.abandon(index); // killed
            self.nodes[index] = self.node();
        }
        if self.one_in(400, is_calm) && self.nodes[index].alive.is_some() {
            self.nodes[index].machine.step_down(now);
        }
        if self.one_in(800, is_calm) {
            self.nodes[index].is_stopping = true;
            self.nodes[index].machine.end();
        }
        if self.nodes[index].frozen_until > now {
            // What it has sent arrives all the same.
            return self.deliver(index, true);
        }
        if let Some((_, fuse)) = self.nodes[index].alive
            && now >= fuse
            && self.mistake != Mistake::NoFuse
        {
            self.abandon(index);
            self.nodes[index] = self.node();
        }
        self.deliver(index, false);
        self.work(index);
        self.send(index, is_calm);
        self.work(index);
    }

    /// Ends the process: what it has sent may still be applied.
    fn abandon(&mut self, index: usize) {
        if let Some(request) = self.nodes[index].request.take()
            && !request.is_applied
            && let Step::Write(_, record, old) = request.step
        {
            self.late.push((request.applied_at, record, old));
        }
    }

    fn deliver(&mut self, index: usize, is_frozen: bool) {
        let (now, mistake) = (self.now, self.mistake);
        let node = &mut self.nodes[index];
        let Some(request) = &mut node.request else { return };
        if !request.is_applied && request.applied_at <= now {
            request.is_applied = true;
            request.answer = match &request.step {
                Step::Write(_, record, old) => {
                    let written = self.register.write(record, old.as_ref(), mistake);
                    Some(Answer::Written(written))
                }
                _ => {
                    let found = self.register.record.clone();
                    Some(Answer::Read(found.map(|found| (found.clone(), Version::of(&found)))))
                }
            };
        }
        if is_frozen {
            return;
        }
        let limit = request.sent + node.machine.times().attempt();
        let is_answered = request.answered_at <= now && request.is_applied;
        if !is_answered && now < limit {
            return;
        }
        let Some(request) = node.request.take() else { return };
        let answer = if is_answered { request.answer } else { None };
        if let Step::Write(_, record, old) = &request.step
            && !request.is_applied
        {
            self.late.push((request.applied_at, record.clone(), old.clone()));
        }
        match request.step {
            Step::Write(purpose, record, old) => {
                let written = match answer {
                    Some(Answer::Written(written)) => Some(written),
                    _ => None,
                };
                if purpose == Purpose::Campaign && written.is_none() {
                    node.lost_campaign = Some(record.clone());
                }
                let sent = if mistake == Mistake::FromAnswer { now } else { request.sent };
                node.machine.wrote(purpose, record, old, sent, now, written);
                if let (Some((term, end)), Some((alive, fuse))) =
                    (node.machine.lead(), &mut node.alive)
                    && *alive == term
                    && !node.machine.is_lost()
                {
                    *fuse = end.saturating_sub(Times::EXIT_TIME);
                }
            }
            _ => {
                let found = match answer {
                    Some(Answer::Read(found)) => Some(found),
                    _ => None,
                };
                if mistake == Mistake::FirstLook {
                    node.machine.read(At::ZERO, found.clone());
                }
                if mistake == Mistake::LateCampaign
                    && let Some(Some((record, version))) = &found
                    && node.lost_campaign.as_ref() == Some(record)
                {
                    let written = Written::Ok { version: version.clone(), term: record.term };
                    let (purpose, record) = (Purpose::Campaign, record.clone());
                    node.machine.wrote(purpose, record, None, now, now, Some(written));
                } else {
                    node.machine.read(now, found);
                }
            }
        }
    }

    /// The inner task: begins with a term, and takes its time to end.
    fn work(&mut self, index: usize) {
        let (now, mistake) = (self.now, self.mistake);
        let takes = TICK * self.random.u32(0..24);
        let node = &mut self.nodes[index];
        node.machine.look(now);
        if node.alive.is_none()
            && let Some((term, end)) = node.machine.lead()
        {
            assert!(!node.is_stopping, "no term begins after the stop");
            node.alive = Some((term, end.saturating_sub(Times::EXIT_TIME)));
            node.ends_at = None;
        }
        if node.alive.is_none() {
            return;
        }
        let is_asked =
            node.is_stopping || node.machine.end_of_lead().is_some_and(|(_, why)| why.is_some());
        if is_asked && node.ends_at.is_none() {
            node.ends_at = Some(now + takes);
            if mistake == Mistake::EarlyRelease {
                node.machine.term_over(now);
            }
        }
        if node.ends_at.is_some_and(|at| at <= now) {
            node.alive = None;
            node.machine.term_over(now);
        }
    }

    fn send(&mut self, index: usize, is_calm: bool) {
        let now = self.now;
        if self.nodes[index].request.is_some() {
            return;
        }
        match self.nodes[index].machine.step(now) {
            Step::Wait(_) => {}
            Step::Over => {
                if self.nodes[index].alive.is_none() {
                    self.nodes[index] = self.node();
                }
            }
            step => {
                let (there, back) = (self.delay(is_calm), self.delay(is_calm));
                let request = Request {
                    step,
                    sent: now,
                    applied_at: now + there,
                    answered_at: now + there + back,
                    answer: None,
                    is_applied: false,
                };
                self.nodes[index].request = Some(request);
                self.deliver(index, false);
            }
        }
    }
}

/// Plays one schedule. Returns what was violated.
fn play(seed: u64, mistake: Mistake) -> Result<(), String> {
    let mut world = World::new(seed, mistake);
    for _ in 0..FAULTY {
        world.tick(false)?;
    }
    for _ in 0..CALM {
        world.tick(true)?;
    }
    let leads = |node: &Node| node.alive.is_some() && !node.machine.is_lost();
    if world.nodes.iter().any(leads) { Ok(()) } else { Err("nobody leads in the end".into()) }
}

#[test]
fn at_most_one_term_is_alive_and_somebody_leads_in_the_end() {
    for seed in 0..3000 {
        if let Err(violated) = play(seed, Mistake::None) {
            panic!("seed {seed}: {violated}");
        }
    }
}

/// The model is worth as much as the mistakes that it finds.
#[test]
fn the_model_finds_each_mistake() {
    for mistake in [
        Mistake::FromAnswer,
        Mistake::EarlyRelease,
        Mistake::Unconditional,
        Mistake::LateCampaign,
        Mistake::FirstLook,
        Mistake::NoFuse,
    ] {
        let found = (0..5000).find(|seed| {
            std::panic::catch_unwind(|| play(*seed, mistake).is_err()).unwrap_or(true)
        });
        assert!(found.is_some(), "{mistake:?} is not found");
    }
}

/// A renewal that is under way at the deadline comes too late: the task was asked to end.
#[test]
fn an_answer_after_the_deadline_does_not_make_the_term_valid_for_longer() {
    let secs = Duration::from_secs;
    let mut machine = Machine::new("one".into(), Times::default(), 7);
    machine.read(At::ZERO, Some(None));
    let carry_out = |machine: &mut Machine, sent, now, term| {
        let Step::Write(purpose, record, old) = machine.step(sent) else { panic!("nothing to do") };
        let version = Version::of(&record);
        let written = Written::Ok { version, term };
        machine.wrote(purpose, record, old, sent, now, Some(written));
    };
    carry_out(&mut machine, At::ZERO, At::ZERO, 1);
    assert_eq!(machine.lead(), Some((1, secs(15))));
    carry_out(&mut machine, secs(9), secs(10), 1);
    assert_eq!(machine.lead(), Some((1, secs(15))));
    assert!(machine.is_lost());
    assert_eq!(machine.step(secs(10)), Step::Wait(None));
}
