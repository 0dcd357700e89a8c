//! The report's short form, for a file that the platform shows when the process has ended.

use std::fmt;

use task_core::scope::ending_message;

use super::display::{MOST_LINES, shortened};
use super::{Cause, Contents, Repeated, Report, fold};

impl Report {
    /// Returns the short form of the report, which says why the process ended, in at most 4,096
    /// bytes: the exit code and the cause, the [`summary`](Self::summary), who was stuck, and then
    /// the other failures, as many as there is room for.
    ///
    /// It is the *termination message* of Kubernetes, which `kubectl describe pod` shows. A service
    /// writes it to the file of
    /// [`termination_log`](crate::ManagerBuilder::termination_log); another program by
    /// [`write_ending_message`](crate::scope::write_ending_message).
    ///
    /// # Examples
    ///
    /// ```
    /// use task_manager::{Manager, task_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let manager = Manager::new();
    /// manager.run(task_fn("consumer", async |_| anyhow::bail!("no broker"))).unwrap();
    /// manager.run(task_fn("exporter", async |ctx| {
    ///     ctx.set_status("writing part 7");
    ///     std::future::pending().await
    /// })).unwrap();
    /// let error = manager.wait().await.unwrap_err();
    /// assert_eq!(
    ///     error.report().unwrap().ending_message(1),
    ///     "exit code 1, cause: task `consumer` failed\n\
    ///      manager stopped in 24.75 s of 25.00 s, 2 failures: \
    ///      task `consumer` failed: no broker\n\
    ///      stuck: task `exporter`\n\
    ///      failure: task `exporter` was aborted at its deadline (phase WORK had 24.75 s)\n",
    /// );
    /// # }
    /// ```
    pub fn ending_message(&self, exit_code: u8) -> String {
        ending_message(format!("{}{}", self.ending_headline(exit_code), self.ending_details()))
    }

    /// Returns the first line of the message.
    pub(crate) fn ending_headline(&self, exit_code: u8) -> String {
        headline(exit_code, Some(self.cause()), &self.0.repeated)
    }

    /// Returns the other lines of the message, each after a line break.
    pub(crate) fn ending_details(&self) -> String {
        Details(&self.0).to_string()
    }
}

/// Returns the first line of a message: the exit code, and the cause of the shutdown.
pub(crate) fn headline(exit_code: u8, cause: Option<&Cause>, repeated: &Repeated) -> String {
    // The reason of a request is the user's, and may be long.
    let cause = cause.map_or_else(String::new, |cause| {
        format!(", cause: {}", shortened(&cause.kind.text(repeated)))
    });
    format!("exit code {exit_code}{cause}")
}

struct Details<'a>(&'a Contents);

impl fmt::Display for Details<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let contents = self.0;
        let folds = fold(&contents.failures);
        write!(f, "\n{}", contents.summary(&folds))?;
        let stuck = folds.iter().filter(|fold| fold.is_stuck()).take(MOST_LINES);
        let stuck: Vec<_> = stuck.map(|fold| shortened(&fold.named(&contents.repeated))).collect();
        if !stuck.is_empty() {
            write!(f, "\nstuck: {}", stuck.join("; "))?;
        }
        contents.write_failures(f, "", &folds)
    }
}
