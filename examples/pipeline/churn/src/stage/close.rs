//! The end of a stage: the members finish the orders that were fed, exit, and the results are
//! judged.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{Outcome, Stage, WINDOW};
use crate::{
    broker::{DEAD, INPUT, OUTPUT},
    judge::{Evidence, Others, bound, judge},
    reader::{
        Isolation::{Committed, Uncommitted},
        Reader, ensure_kept,
    },
};

/// The commit interval of the pipeline, and half a second for the commit itself.
const COMMIT_MS: i64 = 1500;
/// After this time without a new record, the missing ones are lost.
const SILENCE: Duration = Duration::from_secs(45);
/// The same with transactions: what comes after the open one of a killed member is not readable
/// until the brokers abort that.
const TRANSACTION_SILENCE: Duration = Duration::from_secs(100);

/// What `task-kafka` logs when it has found out the fate of a transaction.
const RESOLVED: &str = "a new producer found the fate of a transaction";

impl Stage {
    /// Waits until the members have finished the orders, stops them, and judges the results.
    pub(crate) fn close(mut self) -> Result<Outcome> {
        self.broker.bring_back()?;
        self.database.bring_back()?;
        let fed = self.feeder.take().context("the feeder has ended already")?.end()?;
        self.bring_up(self.members.len().max(1))?;
        self.drain(fed)?;
        while !self.members.is_empty() {
            self.end(0, &[0])?;
        }
        let is_exact = self.is_exact();
        let address = self.broker.address();
        let read = |topic, isolation| Reader::read_all(address, topic, isolation);
        let input = read(INPUT, Uncommitted)?;
        let (output, dead) = (read(OUTPUT, Committed)?, read(DEAD, Committed)?);
        let (all_output, all_dead) = (read(OUTPUT, Uncommitted)?, read(DEAD, Uncommitted)?);
        ensure_kept(INPUT, &input)?;
        if !self.transactions {
            ensure_kept(OUTPUT, &output)?;
            ensure_kept(DEAD, &dead)?;
        }
        let [watched_output, watched_dead] = self.watchers;
        let (watched_output, watched_dead) =
            (watched_output.end(&output)?, watched_dead.end(&dead)?);
        let others = [(&output, &watched_output, &all_output), (&dead, &watched_dead, &all_dead)]
            .map(|(last, concurrent, uncommitted)| Others { last, concurrent, uncommitted });
        let rows = self.database.rows()?;
        let evidence = Evidence {
            fed,
            input: &input,
            output: &output,
            dead: &dead,
            rows: &rows,
            others: &others,
        };
        Ok(Outcome {
            tally: judge(&evidence),
            bound: if is_exact {
                0
            } else {
                bound(&self.losses_ms, COMMIT_MS, WINDOW, &[&output, &dead])
            },
            unknown: unknown(&self.folder)?,
            exits: self.exits,
            faults: self.faults,
        })
    }

    /// Waits until every order has left a record, or no new record arrives for long.
    fn drain(&mut self, fed: u32) -> Result<()> {
        let mut readers = [
            Reader::new(self.broker.address(), OUTPUT, Committed)?,
            Reader::new(self.broker.address(), DEAD, Committed)?,
        ];
        let mut last = (0, Instant::now());
        loop {
            let mut numbers = HashSet::new();
            for reader in &mut readers {
                reader.catch_up(Duration::from_millis(200))?;
                numbers.extend(reader.seen.iter().filter_map(|seen| seen.number));
            }
            if numbers.len() >= fed as usize {
                return Ok(());
            }
            if numbers.len() > last.0 {
                last = (numbers.len(), Instant::now());
            }
            let silence = if self.transactions { TRANSACTION_SILENCE } else { SILENCE };
            if last.1.elapsed() > silence {
                return Ok(());
            }
            self.record_exits()?;
            if self.members.is_empty() {
                bail!("no member is left to finish the orders");
            }
            sleep(Duration::from_millis(200));
        }
    }
}

/// Counts the resolved commits and aborts in the members' logs. The number is shown, and
/// not part of the judgement.
fn unknown(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "log") && path.is_file() {
            let log = fs::read(&path)?;
            count += String::from_utf8_lossy(&log).matches(RESOLVED).count();
        }
    }
    Ok(count)
}
