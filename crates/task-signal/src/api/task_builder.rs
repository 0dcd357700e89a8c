//! The settings of a [`SignalTask`].

use std::{borrow::Cow, sync::Arc, time::Duration};

use super::SignalTask;
use crate::{
    capture::Settings,
    threads::{Callback, Ladder, Logger, Offload, Reader, Source},
    values::{
        AfterEnd, ErrorKind, IgnoredSignals, LogLevel, Opaque, Reaction, Received, Signal,
        SignalError, SignalMap, SignalSet,
    },
};

/// The steps of a signal that escalates, as `SIGINT` does by default.
const ESCALATING: [Reaction; 3] = [Reaction::Stop, Reaction::Abort, Reaction::Exit];

/// Builds a [`SignalTask`]; made by [`SignalTask::builder`].
///
/// The signals are captured by [`build`](Self::build), which needs all settings and checks them.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use task_signal::{IgnoredSignals, Reaction, Signal, SignalTask};
///
/// # fn main() -> Result<(), task_signal::SignalError> {
/// let signals = SignalTask::builder()
///     .signals([Signal::INT, Signal::TERM])
///     .ignored(IgnoredSignals::Capture)
///     .ladder(Signal::TERM, [Reaction::Stop, Reaction::Abort])
///     .repeat_window(Duration::from_secs(1))
///     .on_signal(|received| println!("{received}"))
///     .build()?;
/// assert_eq!(signals.signals(), [Signal::INT, Signal::TERM]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "call `build` to capture the signals"]
pub struct SignalTaskBuilder {
    settings: Settings,
    ladders: SignalMap<Vec<Reaction>>,
    dump_on: Option<Signal>,
    callback: Option<Callback>,
}

impl SignalTaskBuilder {
    pub(super) fn new() -> Self {
        let signals = SignalSet::from_iter([Signal::INT, Signal::TERM, Signal::QUIT]);
        let repeat_window = Duration::from_millis(250);
        let name = "signals".into();
        Self {
            settings: Settings { name, signals, repeat_window, ..Settings::default() },
            ladders: SignalMap::new(),
            dump_on: None,
            callback: None,
        }
    }

    /// Sets the task's name. Default: `signals`.
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { settings: Settings { name: name.into(), ..self.settings }, ..self }
    }

    /// Sets the signals that stop the group, and replaces those set before. A signal that is named
    /// twice counts once. Default: [`INT`](Signal::INT), [`TERM`](Signal::TERM) and
    /// [`QUIT`](Signal::QUIT).
    pub fn signals<S: Into<Signal>>(self, signals: impl IntoIterator<Item = S>) -> Self {
        let signals = signals.into_iter().map(Into::into).collect();
        Self { settings: Settings { signals, ..self.settings }, ..self }
    }

    /// Sets what the first, the second, … signal of this kind leads to. Further ones are logged
    /// only, and so is every one if there are no steps. Each signal climbs its own ladder.
    ///
    /// Default: [`Stop`](Reaction::Stop), [`Abort`](Reaction::Abort), [`Exit`](Reaction::Exit) for
    /// [`INT`](Signal::INT); [`Stop`](Reaction::Stop) for the others.
    pub fn ladder(
        mut self,
        signal: impl Into<Signal>,
        steps: impl IntoIterator<Item = Reaction>,
    ) -> Self {
        self.ladders.insert(signal.into(), steps.into_iter().collect());
        self
    }

    /// Sets for how long after a signal further ones of its kind are repeats, which do not count.
    /// Wrappers and terminals often both forward one Ctrl-C.
    ///
    /// The window begins at the last signal that counted, for this task or for one before it in the
    /// process, so a key that is held down escalates. It outlasts the group, by at most 1 s: a
    /// repeat does not end the process while it writes its report. Zero makes every signal count.
    /// Default: 250 ms.
    pub fn repeat_window(self, window: Duration) -> Self {
        Self { settings: Settings { repeat_window: window, ..self.settings }, ..self }
    }

    /// Sets a signal that writes the task table to the log each time that it
    /// [counts](Self::repeat_window), also while the runtime is blocked and during the shutdown.
    ///
    /// A dump is dropped while 64 events wait for the log. One that is asked for before the task
    /// runs is written when it does. Default: none.
    pub fn dump_on(self, signal: impl Into<Signal>) -> Self {
        Self { dump_on: Some(signal.into()), ..self }
    }

    /// Sets a callback for each signal that counts, including the one for the
    /// [dump](Self::dump_on).
    ///
    /// It runs on a thread of this task, after the signal's line was logged. The signal was
    /// delivered to the group before, unless it arrived before the task ran, or the delivery takes
    /// more than 100 ms: then either may come first.
    ///
    /// It may lock, allocate and block: that delays later callbacks, log lines and dumps, and the
    /// task's end, but no delivery. The task does not end while a callback runs or waits, whatever
    /// its signal leads to; one for a signal that arrives after the task's end holds nothing up.
    /// While 64 events wait, signals that are only logged or dumped are dropped.
    ///
    /// A panic is recorded as a failure, and the shutdown proceeds. The callback is not called for
    /// [`Reaction::Exit`], which waits for nothing. Default: none.
    pub fn on_signal(self, callback: impl FnMut(&Received) + Send + 'static) -> Self {
        Self { callback: Some(Opaque(Box::new(callback))), ..self }
    }

    /// Sets what happens to signals that are ignored when the process first captures them.
    /// Default: [`IgnoredSignals::Keep`].
    pub fn ignored(self, ignored: IgnoredSignals) -> Self {
        Self { settings: Settings { ignored, ..self.settings }, ..self }
    }

    /// Adds signals by which the platform stops the process. Default: none.
    ///
    /// It is a check, and captures none: [`build`](Self::build) fails unless the first signal of
    /// each kind asks the group to stop and aborts nothing. Such a signal is captured even if the
    /// process was started ignoring it, whatever [`ignored`](Self::ignored) says.
    ///
    /// # Examples
    ///
    /// ```
    /// use task_signal::{Reaction, Signal, SignalTask};
    ///
    /// let nomad = SignalTask::builder().required_signals([Signal::INT]);
    /// let error = nomad.ladder(Signal::INT, [Reaction::Abort]).build().unwrap_err();
    /// assert!(error.is_contradictory());
    /// assert_eq!(error.to_string(), "SIGINT is to stop the group, and its first reaction is `abort`");
    /// ```
    pub fn required_signals<S: Into<Signal>>(
        mut self,
        signals: impl IntoIterator<Item = S>,
    ) -> Self {
        self.settings.required.extend(signals.into_iter().map(Into::into));
        self
    }

    /// Sets what the signals do after the end of the group. Default: [`AfterEnd::DefaultAction`].
    pub fn after_end(self, after_end: AfterEnd) -> Self {
        Self { settings: Settings { after_end, ..self.settings }, ..self }
    }

    /// Sets the level of the line about a signal that arrived. The line about one that escalates is
    /// at least a warning, unless the level is [`LogLevel::Off`]. Default: [`LogLevel::Info`].
    pub fn log_level(self, log_level: LogLevel) -> Self {
        Self { settings: Settings { log_level, ..self.settings }, ..self }
    }

    /// Captures the signals. From here on none is lost: those that arrive before the task has a
    /// group climb their ladders, and are delivered when it does. So do those that waited for it
    /// under a [`CaptureGuard`](crate::CaptureGuard).
    ///
    /// # Errors
    ///
    /// A [`SignalError`] if there are no signals, if a number is not a signal of this platform or
    /// must not be captured, if settings contradict each other, or if the system has no file
    /// descriptor or thread left. No signal stays captured then.
    pub fn build(self) -> Result<SignalTask, SignalError> {
        let ladders = self.make_ladders()?;
        let Self { mut settings, ladders: _, dump_on, callback } = self;
        settings.signals.extend(dump_on);
        settings.check()?;
        // All threads start before the capture: a refusal then loses no signal.
        let has_callback = callback.is_some();
        let logger = Logger::start(callback, settings.log_level).map_err(ErrorKind::NoThread)?;
        let offload = Offload::start().map_err(ErrorKind::NoThread)?;
        let reader = Reader { ladders, repeat_window: settings.repeat_window };
        let (shared, sources) = reader.start(logger, offload).map_err(ErrorKind::NoThread)?;
        let (capture, inbox) = settings.capture()?;
        // The reader waits for it, so this cannot fail.
        let _ = sources.send(Source { inbox, lease: Arc::clone(&capture.lease) });
        Ok(SignalTask { capture, shared, has_callback, is_admitted: false })
    }

    /// Returns what the signals of this kind lead to.
    fn steps(&self, signal: Signal) -> Vec<Reaction> {
        match self.ladders.get(signal) {
            Some(steps) => steps.clone(),
            None if signal == Signal::INT => ESCALATING.to_vec(),
            None => vec![Reaction::Stop],
        }
    }

    /// Checks the ladders, the dump and what the platform sends against the signals, and makes a
    /// ladder for each signal.
    fn make_ladders(&self) -> Result<Vec<Ladder>, ErrorKind> {
        let signals = &self.settings.signals;
        if let Some(signal) = self.ladders.signals().find(|signal| !signals.contains(*signal)) {
            return Err(ErrorKind::LadderWithoutSignal(signal));
        }
        if let Some(signal) = self.dump_on.filter(|signal| signals.contains(*signal)) {
            return Err(ErrorKind::DumpInSet(signal));
        }
        for signal in self.settings.required.signals() {
            if !signals.contains(signal) {
                return Err(ErrorKind::RequiredIsMissing(signal));
            }
            let first = self.steps(signal).first().copied().unwrap_or(Reaction::Log);
            if !matches!(first, Reaction::Stop | Reaction::EndDrain) {
                return Err(ErrorKind::DoesNotStop(signal, first.as_str()));
            }
        }
        let stopping =
            signals.signals().map(|signal| Ladder::new(signal, self.steps(signal), Reaction::Log));
        let dumping = self.dump_on.map(|signal| Ladder::new(signal, Vec::new(), Reaction::Dump));
        Ok(stopping.chain(dumping).collect())
    }
}
