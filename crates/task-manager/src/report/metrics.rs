//! The figures of a shutdown as metrics, to be scraped once the process is gone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use std::{fs, io, process};

use task_core::Outcome;

use super::Report;
use super::sort_by_key;

/// How many tasks, and how many cleanups, have a series of their own: those that took longest.
const MAX_SERIES: usize = 50;
/// How many bytes of a name or a cause are used in a label.
const MAX_LABEL: usize = 64;
const MAX_CAUSE: usize = 200;

/// How many files were begun in this process. Each has a name of its own until it is in its place.
static BEGUN: AtomicU32 = AtomicU32::new(0);

impl Report {
    /// Returns the figures of the shutdown as metrics, in the Prometheus text format 0.0.4.
    ///
    /// | family | what |
    /// |---|---|
    /// | `task_last_shutdown_start_time_seconds` | when it began, since the Unix epoch |
    /// | `task_last_shutdown_duration_seconds{step}` | how long `drain`, `stop` and `cleanup` took |
    /// | `task_last_shutdown_timeout_seconds` | how long it had, if that was limited |
    /// | `task_last_shutdown_failures` | how many failures the report has; 0 is clean |
    /// | `task_last_shutdown_info{cause}` | 1, with the cause as text |
    /// | `task_last_shutdown_task_stop_seconds{task,outcome}` | how long tasks took to stop |
    /// | `task_last_shutdown_cleanup_seconds{cleanup,outcome}` | how long cleanups took |
    ///
    /// All have the label `manager`. The last two have the series of the 50 that took longest;
    /// several of one name and outcome share one, with the longest time. Names are cut to 64 bytes,
    /// the cause to 200.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::Manager;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> anyhow::Result<()> {
    /// let manager = Manager::builder().name("orders").build()?;
    /// manager.cleanup("database", async || Ok(()))?;
    /// let metrics = manager.shutdown().await?.metrics();
    /// assert!(metrics.contains("task_last_shutdown_failures{manager=\"orders\"} 0\n"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn metrics(&self) -> String {
        let mut out = Families { text: String::new(), manager: label(self.name(), MAX_LABEL) };
        let steps = self.steps();
        let began = self.began().duration_since(UNIX_EPOCH).unwrap_or_default();
        out.family("start_time_seconds", "Start of the last shutdown since the Unix epoch.");
        out.sample("start_time_seconds", &[], began.as_millis() as f64 / 1000.0);
        out.family("duration_seconds", "Time that each step of the last shutdown took.");
        for (step, from, to) in [
            ("drain", steps.triggered, steps.stopping),
            ("stop", steps.stopping, steps.cleaning_up),
            ("cleanup", steps.cleaning_up, steps.ended),
        ] {
            out.sample("duration_seconds", &[("step", step)], seconds(to.saturating_sub(from)));
        }
        if let Some(budget) = steps.budget {
            out.family("timeout_seconds", "Time limit of the last shutdown.");
            out.sample("timeout_seconds", &[], seconds(budget));
        }
        let failures = self.failures().len() as u64 + self.omitted_failures();
        out.family("failures", "Failures in the report of the last shutdown.");
        out.sample("failures", &[], failures as f64);
        out.family("info", "Cause of the last shutdown.");
        out.sample("info", &[("cause", &label(&self.cause().to_string(), MAX_CAUSE))], 1.0);

        let stopped = self
            .tasks()
            .iter()
            .filter_map(|task| Some((&*task.name, task.outcome.as_str(), task.stop_took?)));
        let help = "Time from the stop of a task to its end, in the last shutdown.";
        out.longest("task_stop_seconds", help, "task", stopped);
        let cleanups = self.cleanups().iter().map(|cleanup| {
            let outcome = cleanup.outcome.map_or("not_run", Outcome::as_str);
            (&*cleanup.name, outcome, cleanup.took)
        });
        let help = "Time that a cleanup took, in the last shutdown.";
        out.longest("cleanup_seconds", help, "cleanup", cleanups);
        out.text
    }

    /// Writes the [metrics](Self::metrics) to a file, which is replaced as a whole: who reads it
    /// meanwhile sees the old or the new content.
    ///
    /// Metrics of a shutdown are there when nothing is left to scrape. Two things can serve the
    /// file: the textfile collector of node_exporter, from which they are to be had while the
    /// service is down (the name must end in `.prom`), or the service itself at its next start, for
    /// example by a text source of `task-http`. One is enough.
    ///
    /// The file is first written under another name in the same folder, `NAME.PID.NUMBER.tmp`,
    /// with a number for each call in the process, so several may write the same file at once. It
    /// is not flushed to the disk: after a crash of the whole machine it may be lost or empty. This
    /// blocks as long as the file system does.
    ///
    /// # Errors
    ///
    /// If the file cannot be written or replaced. The old one is then left as it was. Windows may
    /// refuse to replace a file that something has open; other systems do not.
    pub fn write_metrics(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        let Some(name) = path.file_name() else {
            let problem = format!("{} has no file name", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        };
        let mut temporary = name.to_owned();
        let number = BEGUN.fetch_add(1, Ordering::Relaxed);
        temporary.push(format!(".{}.{number}.tmp", process::id()));
        let temporary = path.with_file_name(temporary);
        let written =
            fs::write(&temporary, self.metrics()).and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            // The first error says what is wrong; this file may not even exist.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

struct Families {
    text: String,
    manager: String,
}

impl Families {
    fn family(&mut self, name: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP task_last_shutdown_{name} {help}");
        let _ = writeln!(self.text, "# TYPE task_last_shutdown_{name} gauge");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.text, "task_last_shutdown_{name}{{manager=\"{}\"", self.manager);
        for (name, value) in labels {
            let _ = write!(self.text, ",{name}=\"{value}\"");
        }
        let _ = writeln!(self.text, "}} {value}");
    }

    /// Writes the series of the longest durations, in the order of their labels.
    fn longest<'a>(
        &mut self,
        family: &str,
        help: &str,
        label_name: &str,
        all: impl Iterator<Item = (&'a str, &'static str, Duration)>,
    ) {
        let mut series = BTreeMap::new();
        for (name, outcome, took) in all {
            let longest: &mut Duration =
                series.entry((label(name, MAX_LABEL), outcome)).or_default();
            *longest = took.max(*longest);
        }
        let mut shown: Vec<_> = series.into_iter().enumerate().collect();
        sort_by_key(&mut shown, |(_, (_, took))| !took.as_nanos());
        shown.truncate(MAX_SERIES);
        sort_by_key(&mut shown, |(place, _)| *place as u128);
        if !shown.is_empty() {
            self.family(family, help);
        }
        for (_, ((name, outcome), took)) in shown {
            self.sample(family, &[(label_name, &name), ("outcome", outcome)], seconds(took));
        }
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// Returns a text as the value of a label: cut at a character, and escaped.
fn label(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}
