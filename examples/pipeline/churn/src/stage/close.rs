//! The end of a stage: what was fed is finished, the members are ended, and the judge looks at what is left.

use std::{
    collections::HashSet,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{Outcome, Stage, WINDOW};
use crate::{
    broker::{DEAD, INPUT, OUTPUT},
    judge::{Evidence, bound, judge},
    reader::Reader,
};

/// The pipeline commits every second. Half a second more for the commit itself.
const COMMIT_MS: i64 = 1500;
/// When nothing new has come out for so long, nothing will.
const SILENCE: Duration = Duration::from_secs(45);

impl Stage {
    /// Lets the members finish what was fed, ends them, and judges.
    pub(crate) fn close(mut self) -> Result<Outcome> {
        self.broker.bring_back()?;
        self.database.bring_back()?;
        let fed = self.feeder.take().context("the feeder has ended already")?.end()?;
        self.gather(self.members.len().max(1))?;
        self.drain(fed)?;
        while !self.members.is_empty() {
            self.end(0, &[0])?;
        }
        let address = self.broker.address();
        let input = Reader::read_all(address, INPUT)?;
        let output = Reader::read_all(address, OUTPUT)?;
        let dead = Reader::read_all(address, DEAD)?;
        let rows = self.database.rows()?;
        let evidence = Evidence { fed, input: &input, output: &output, dead: &dead, rows: &rows };
        Ok(Outcome {
            tally: judge(&evidence),
            bound: bound(&self.losses_ms, COMMIT_MS, WINDOW, &[&output, &dead]),
            exits: self.exits,
            faults: self.faults,
        })
    }

    /// Waits until everything that was fed has come out, or nothing comes any more: what is missing then is lost.
    fn drain(&mut self, fed: u32) -> Result<()> {
        let mut readers = [
            Reader::new(self.broker.address(), OUTPUT)?,
            Reader::new(self.broker.address(), DEAD)?,
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
            if last.1.elapsed() > SILENCE {
                return Ok(());
            }
            self.tend()?;
            if self.members.is_empty() {
                bail!("no member is left to finish what was fed");
            }
            sleep(Duration::from_millis(200));
        }
    }
}
