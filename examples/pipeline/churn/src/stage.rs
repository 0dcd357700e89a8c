//! The stage of a scenario: brokers, a database, a feeder, and the members.

mod close;

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;
use rustix::process::Signal;

use crate::{
    broker::{Broker, Brokers, DEAD, INPUT, OUTPUT, PARTITIONS},
    database::{Database, DatabaseKind},
    exits::{Exit, How, code},
    feeder::Feeder,
    judge::Tally,
    member::{Log, Member},
    watcher::Watcher,
};

/// The shutdown budget of a member, and the time after it until the hard exit.
const BUDGET: Duration = Duration::from_secs(15);
const HARD_EXIT: Duration = Duration::from_secs(1);
/// Additional time for a busy machine.
const SLACK: Duration = Duration::from_secs(1);
/// Maximum number of messages in flight per member.
const WINDOW: u64 = 1024;
/// How long members may take to become ready: a session may have to time out first.
const BRING_UP: Duration = Duration::from_secs(60);
/// The group of the members.
pub(crate) const GROUP: &str = "churn";
/// Members end by themselves if churn is killed.
const LIFE: &str = "--run-for=15m";

/// The settings of a stage.
pub(crate) struct Settings<'a> {
    pub(crate) brokers: Brokers,
    /// Members produce in transactions.
    pub(crate) transactions: bool,
    /// Orders that a member enriches at once.
    pub(crate) concurrency: u16,
    pub(crate) database: DatabaseKind,
    /// Orders per second.
    pub(crate) rate: u32,
    /// The program of the members.
    pub(crate) program: &'a Path,
    /// The folder of installed tools.
    pub(crate) tools: &'a Path,
    /// Members may end by themselves with code 1, because what they depend on is unavailable for
    /// too long.
    pub(crate) may_fail: bool,
}

pub(crate) struct Stage {
    pub(crate) random: Rng,
    pub(crate) broker: Broker,
    pub(crate) database: Database,
    members: Vec<Member>,
    feeder: Option<Feeder>,
    watchers: [Watcher; 2],
    program: PathBuf,
    folder: PathBuf,
    started: u32,
    /// When members were killed or cut off, in milliseconds since 1970. Messages from just before
    /// may be repeated.
    losses_ms: Vec<i64>,
    exits: Vec<Exit>,
    faults: Vec<String>,
    may_fail: bool,
    /// Further settings of the members' clients.
    client_settings: Vec<&'static str>,
    /// The partitions of the input topic.
    partitions: i32,
    transactions: bool,
    concurrency: u16,
}

/// The result of a stage.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    /// The maximum number of duplicates that killed or cut-off members explain.
    pub(crate) bound: u64,
    /// Commits and aborts of unknown fate, each of which a new producer resolved.
    pub(crate) unknown: usize,
    pub(crate) exits: Vec<Exit>,
    pub(crate) faults: Vec<String>,
}

/// A member that has received SIGTERM.
pub(crate) struct Ending {
    member: Member,
    since: Instant,
}

impl Stage {
    /// Starts the brokers, the database and the feeder. Logs go to `folder`, which is emptied
    /// first.
    pub(crate) fn open(settings: &Settings<'_>, folder: PathBuf, mut random: Rng) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let database = Database::start(settings.database, &folder)?;
        let broker = Broker::start(settings.brokers, settings.tools, &folder)?;
        let watch = |topic| Watcher::start(broker.address(), topic);
        let watchers = [watch(OUTPUT)?, watch(DEAD)?];
        let feeder = Feeder::start(broker.address(), settings.rate, random.fork())?;
        Ok(Self {
            random,
            broker,
            database,
            members: Vec::new(),
            feeder: Some(feeder),
            watchers,
            program: settings.program.to_owned(),
            folder,
            started: 0,
            losses_ms: Vec::new(),
            exits: Vec::new(),
            faults: Vec::new(),
            may_fail: settings.may_fail,
            client_settings: Vec::new(),
            partitions: PARTITIONS,
            transactions: settings.transactions,
            concurrency: settings.concurrency,
        })
    }

    /// Makes later members produce one request at a time.
    ///
    /// The embedded brokers check sequence numbers only for transactions. They may reject one
    /// request of an idempotent producer and accept the next one, which real brokers do not.
    /// librdkafka then counts both as acknowledged, and the first one is lost.
    pub(crate) fn one_request_at_a_time(&mut self) {
        self.set("max.in.flight.requests.per.connection=1");
    }

    /// Makes later members look for new partitions every second, in place of every five minutes.
    pub(crate) fn refresh_metadata_often(&mut self) {
        self.set("topic.metadata.refresh.interval.ms=1000");
    }

    fn set(&mut self, setting: &'static str) {
        if !self.client_settings.contains(&setting) {
            self.client_settings.push(setting);
        }
    }

    /// Gives the input topic more partitions.
    pub(crate) fn grow(&mut self, by: i32) -> Result<()> {
        self.partitions += by;
        self.broker.grow(self.partitions)
    }

    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }

    /// Returns the index of a random member.
    pub(crate) fn any(&mut self) -> usize {
        self.random.usize(0..self.members.len())
    }

    /// Sleeps for a random time, in milliseconds.
    pub(crate) fn pause(&mut self, millis: Range<u64>) {
        sleep(Duration::from_millis(self.random.u64(millis)));
    }

    /// Starts another member.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.start_with(Log::File)
    }

    pub(crate) fn start_with(&mut self, log: Log) -> Result<()> {
        self.started += 1;
        let mut arguments = vec![
            format!("--brokers={}", self.broker.address()),
            format!("--database-url={}", self.database.url()),
            format!("--group={GROUP}"),
            format!("--input-topic={INPUT}"),
            format!("--output-topic={OUTPUT}"),
            format!("--dead-letter-topic={DEAD}"),
            format!("--window={WINDOW}"),
            format!("--concurrency={}", self.concurrency),
            format!("--shutdown-budget={}s", BUDGET.as_secs()),
            String::from("--http-address=127.0.0.1:0"),
            String::from("--session-timeout=6s"),
            String::from("--retention=1h"),
            String::from(LIFE),
        ];
        if log == Log::Unread {
            arguments.push(String::from("--log=debug"));
        }
        let slot = self.free_slot();
        if self.transactions {
            arguments.push(format!("--transactional-id={}", Self::transactional_id(slot)));
        }
        let setting = |setting| format!("--kafka-setting={setting}");
        arguments.extend(self.client_settings.iter().map(setting));
        let file = self.folder.join(format!("member-{:03}.log", self.started));
        self.members.push(Member::start(&self.program, &arguments, file, log, slot)?);
        Ok(())
    }

    /// Returns whether nothing may be repeated, however a member ends. The embedded brokers only
    /// imitate transactions, and the separate one shows what was aborted.
    fn is_exact(&self) -> bool {
        self.transactions && matches!(self.broker, Broker::Apache(_))
    }

    /// Returns the smallest slot that no member has.
    fn free_slot(&self) -> usize {
        let is_taken = |slot: &usize| self.members.iter().any(|member| member.slot == *slot);
        (0..).find(|slot| !is_taken(slot)).unwrap_or_default()
    }

    /// Returns the transactional id of a slot: a member has that of its predecessor in it.
    pub(crate) fn transactional_id(slot: usize) -> String {
        format!("churn-{slot}")
    }

    /// Waits until a member has settled orders that were not settled at the call. Records a fault
    /// if none has within `limit`.
    pub(crate) fn settles_within(&mut self, limit: Duration) -> Result<()> {
        let start = Instant::now();
        let mut before = self.settled();
        loop {
            sleep(Duration::from_millis(200));
            self.record_exits()?;
            let settled = self.settled();
            // A member that was started anew counts from zero.
            if settled > before || self.members.is_empty() {
                return Ok(());
            }
            before = before.min(settled);
            if start.elapsed() > limit {
                self.faults.push(format!("no order was settled within {limit:?}"));
                return Ok(());
            }
        }
    }

    fn settled(&mut self) -> f64 {
        self.members.iter_mut().map(Member::settled).sum()
    }

    /// Starts members until there are `count`, and waits until all are ready and share the
    /// partitions.
    pub(crate) fn bring_up(&mut self, count: usize) -> Result<()> {
        let start = Instant::now();
        let mut stable = 0;
        while stable < 3 {
            self.record_exits()?;
            while self.members.len() < count {
                self.start()?;
            }
            ensure!(
                start.elapsed() < BRING_UP,
                "{count} members were not ready within {BRING_UP:?}"
            );
            sleep(Duration::from_millis(150));
            let shared: f64 = self.members.iter_mut().map(Member::partitions).sum();
            let is_stable = shared == f64::from(self.partitions)
                && self.members.iter_mut().all(Member::is_ready);
            stable = if is_stable { stable + 1 } else { 0 };
        }
        Ok(())
    }

    /// Records the exits of members that ended by themselves.
    fn record_exits(&mut self) -> Result<()> {
        let mut index = 0;
        while let Some(member) = self.members.get_mut(index) {
            let Some(status) = member.ended()? else {
                index += 1;
                continue;
            };
            let (code, log) = (code(status), member.log().display().to_string());
            self.exits.push(Exit { how: How::Itself, code, took: Duration::ZERO });
            if !(self.may_fail && code == 1) {
                self.faults.push(format!("a member ended by itself with {code}: {log}"));
            }
            self.members.remove(index);
        }
        Ok(())
    }

    /// Sends SIGTERM to a member.
    pub(crate) fn terminate(&mut self, index: usize) -> Result<Ending> {
        let member = self.members.remove(index);
        member.signal(Signal::TERM)?;
        Ok(Ending { member, since: Instant::now() })
    }

    /// Waits for the exit of a member, whose code has to be one of `expected`.
    pub(crate) fn wait_end(&mut self, ending: Ending, expected: &[i32]) -> Result<()> {
        let Ending { mut member, since } = ending;
        let limit = BUDGET + HARD_EXIT + SLACK;
        let log = member.log().display().to_string();
        let Some(status) = member.wait(since + limit)? else {
            self.faults.push(format!("a member did not end within {limit:?}: {log}"));
            return self.record_kill(member);
        };
        let exit = Exit { how: How::Term, code: code(status), took: since.elapsed() };
        if !expected.contains(&exit.code) {
            self.faults.push(format!("a member ended with {}, not {expected:?}: {log}", exit.code));
        }
        self.exits.push(exit);
        Ok(())
    }

    /// Sends SIGTERM to a member and waits for its exit.
    pub(crate) fn end(&mut self, index: usize, expected: &[i32]) -> Result<()> {
        let ending = self.terminate(index)?;
        self.wait_end(ending, expected)
    }

    /// Sends SIGKILL to a member.
    pub(crate) fn kill(&mut self, index: usize) -> Result<()> {
        let member = self.members.remove(index);
        self.record_kill(member)
    }

    fn record_kill(&mut self, mut member: Member) -> Result<()> {
        member.signal(Signal::KILL)?;
        let since = Instant::now();
        let status = member.wait(since + SLACK)?.context("a member outlived SIGKILL")?;
        self.exits.push(Exit { how: How::Kill, code: code(status), took: since.elapsed() });
        self.record_loss()
    }

    /// Records that the last commits of the members may be missing from now on.
    pub(crate) fn record_loss(&mut self) -> Result<()> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        self.losses_ms.push(i64::try_from(now.as_millis())?);
        Ok(())
    }

    /// Suspends or resumes the threads of a member.
    pub(crate) fn freeze(&mut self, index: usize, frozen: bool) -> Result<()> {
        self.members[index].signal(if frozen { Signal::STOP } else { Signal::CONT })
    }
}
