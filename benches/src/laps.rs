//! The figures that one child measures and prints for the driver: one line of `name=number`.

use std::fmt;

use crate::gauge::{self, Reading};

/// Readings at the beginning, the middle and the end, with memory at the first two.
#[derive(Debug)]
pub(crate) struct Laps {
    begun: Reading,
    resident: u64,
    middle: Option<(Reading, u64)>,
    ended: Option<Reading>,
}

impl Laps {
    pub(crate) fn begin() -> Self {
        // Memory is read first, because reading it opens files, which must not be measured.
        let resident = gauge::resident();
        Self { begun: gauge::read(), resident, middle: None, ended: None }
    }

    /// Begins again, after a preparation that is not measured.
    pub(crate) fn restart(&mut self) {
        *self = Self::begin();
    }

    /// Records that all tasks are in the state that the scenario requires.
    pub(crate) fn middle(&mut self) {
        let reading = gauge::read();
        self.middle = Some((reading, gauge::resident()));
    }

    pub(crate) fn end(&mut self) {
        self.ended = Some(gauge::read());
    }
}

impl fmt::Display for Laps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ended = self.ended.unwrap_or(self.begun);
        let (middle, resident) = self.middle.unwrap_or((ended, gauge::resident()));
        let nanos = |later: Reading, earlier: Reading| {
            (
                later.wall.saturating_sub(earlier.wall).as_nanos(),
                later.cpu.saturating_sub(earlier.cpu).as_nanos(),
            )
        };
        let (wall, cpu) = nanos(ended, self.begun);
        let (first_wall, first_cpu) = nanos(middle, self.begun);
        let memory = resident.saturating_sub(self.resident);
        write!(
            f,
            "wall={wall} cpu={cpu} first_wall={first_wall} first_cpu={first_cpu} memory={memory}"
        )
    }
}
