//! How a [`SignalTask`] is put together.

use std::{borrow::Cow, fmt, time::Duration};

use crate::{
    AfterEnd, IgnoredSignals, LogLevel, Reaction, Received, Signal, SignalError, SignalTask,
    crew::Crew,
    error::ErrorKind,
    ladder::{ESCALATING, Ladder},
    lease::{Lease, Tenant},
    platform::{Claim, Inbox, check},
    teller::{Callback, Teller},
    watch::Watch,
};

/// Settings of a [`SignalTask`]: what [`SignalTask::builder`] returns.
#[must_use = "call `build` to capture the signals"]
pub struct SignalTaskBuilder {
    name: Cow<'static, str>,
    signals: Vec<Signal>,
    ladders: Vec<(Signal, Vec<Reaction>)>,
    repeat_window: Duration,
    dump_on: Option<Signal>,
    callback: Option<Callback>,
    ignored: IgnoredSignals,
    after_end: AfterEnd,
    log_level: LogLevel,
}

impl SignalTaskBuilder {
    pub(crate) fn new() -> Self {
        Self {
            name: Cow::Borrowed("signals"),
            signals: vec![Signal::INT, Signal::TERM, Signal::QUIT],
            ladders: Vec::new(),
            repeat_window: Duration::from_millis(250),
            dump_on: None,
            callback: None,
            ignored: IgnoredSignals::default(),
            after_end: AfterEnd::default(),
            log_level: LogLevel::default(),
        }
    }

    /// The task's name. Default: `signals`.
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The signals that stop the group, in the place of those set before. A signal that is named twice counts once.
    /// Default: [`INT`](Signal::INT), [`TERM`](Signal::TERM) and [`QUIT`](Signal::QUIT).
    pub fn signals<S: Into<Signal>>(self, signals: impl IntoIterator<Item = S>) -> Self {
        Self { signals: signals.into_iter().map(Into::into).collect(), ..self }
    }

    /// What the first, the second, … signal of this kind leads to. Those beyond the last step are only logged, and so
    /// is every one if there are no steps. Each signal climbs a ladder of its own.
    /// Default: [`Stop`](Reaction::Stop), [`Abort`](Reaction::Abort), [`Exit`](Reaction::Exit) for
    /// [`INT`](Signal::INT); [`Stop`](Reaction::Stop) alone for the others.
    pub fn ladder(
        mut self,
        signal: impl Into<Signal>,
        steps: impl IntoIterator<Item = Reaction>,
    ) -> Self {
        let signal = signal.into();
        self.ladders.retain(|(known, _)| *known != signal);
        self.ladders.push((signal, steps.into_iter().collect()));
        self
    }

    /// How long after a signal another one of its kind is a part of it: wrappers and terminals often both forward
    /// one Ctrl-C. It is measured from the last one that counted, so a key that is held down still climbs. Zero makes
    /// every one count. Default: 250 ms.
    pub fn repeat_window(self, window: Duration) -> Self {
        Self { repeat_window: window, ..self }
    }

    /// A signal at which the task table is written to the log: each time that it [counts](Self::repeat_window), unless
    /// 64 lines wait already; also when the runtime is blocked, and also during the shutdown. Default: none.
    pub fn dump_on(self, signal: impl Into<Signal>) -> Self {
        Self { dump_on: Some(signal.into()), ..self }
    }

    /// A callback for each signal that counts, the one for the [dump](Self::dump_on) included (beyond 64 that wait,
    /// those that only log or dump are dropped).
    ///
    /// It runs after the line was logged and beside the manager's being told, on a thread that belongs to this task: it
    /// may lock, allocate and block, and blocks nothing but later callbacks, log lines and dumps. The task has not
    /// ended while one runs that was called for a step of a ladder. A panic of it is recorded as a failure, and the shutdown
    /// goes on. It is not called for [`Reaction::Exit`], which is not to wait for anything.
    /// Default: none.
    pub fn on_signal(self, callback: impl FnMut(&Received) + Send + 'static) -> Self {
        Self { callback: Some(Box::new(callback)), ..self }
    }

    /// What becomes of signals that are ignored when the process first captures them.
    /// Default: [`IgnoredSignals::Keep`].
    pub fn ignored(self, ignored: IgnoredSignals) -> Self {
        Self { ignored, ..self }
    }

    /// What the signals do once the report is made. Default: [`AfterEnd::DefaultAction`].
    pub fn after_end(self, after_end: AfterEnd) -> Self {
        Self { after_end, ..self }
    }

    /// The level of the line that says that a signal has come. One that escalates is a warning at least, unless the
    /// level is [`LogLevel::Off`]. Default: [`LogLevel::Info`].
    pub fn log_level(self, level: LogLevel) -> Self {
        Self { log_level: level, ..self }
    }

    /// Captures the signals. From here on none is lost: those that come before the task runs are delivered when it
    /// does, and their ladders are climbed meanwhile.
    ///
    /// # Errors
    ///
    /// A [`SignalError`] if the set is empty, a number is no signal here or must not be captured, settings contradict
    /// each other, or the system has no file descriptors or threads to give. Nothing stays captured then.
    pub fn build(self) -> Result<SignalTask, SignalError> {
        let ladders = self.check()?;
        let Self { name, repeat_window, callback, ignored, after_end, log_level, .. } = self;
        let wanted: Vec<_> = ladders.iter().map(|ladder| ladder.signal).collect();
        let (claim, (inbox, closer)) =
            Claim::take(&wanted, ignored, after_end, Inbox::open).map_err(ErrorKind::Capture)?;
        let captured = claim.signals().to_vec();
        let lease = Lease::new(claim, Some(closer));
        // From here on, a return without the task lets the signals go.
        let tenant = Tenant::new(lease);

        let watch = Watch { inbox, ladders, repeat_window };
        let crew =
            Crew::start(watch, Teller::new(callback, log_level)).map_err(ErrorKind::Thread)?;

        let ignored = wanted.into_iter().filter(|signal| !captured.contains(signal)).collect();
        Ok(SignalTask { name, captured, ignored, log_level, crew, tenant })
    }

    /// Turns the settings into ladders, the dump's included.
    fn check(&self) -> Result<Vec<Ladder>, ErrorKind> {
        if self.signals.is_empty() {
            return Err(ErrorKind::NoSignals);
        }
        let mut ladders: Vec<Ladder> = Vec::with_capacity(self.signals.len() + 1);
        for &signal in &self.signals {
            check(signal)?;
            if ladders.iter().all(|ladder| ladder.signal != signal) {
                ladders.push(Ladder::new(signal, self.steps(signal)));
            }
        }
        if let Some((signal, _)) = self.ladders.iter().find(|(set, _)| !self.signals.contains(set))
        {
            return Err(ErrorKind::LadderWithoutSignal(*signal));
        }
        if let Some(signal) = self.dump_on {
            check(signal)?;
            if self.signals.contains(&signal) {
                return Err(ErrorKind::DumpInSet(signal));
            }
            ladders.push(Ladder::dumping(signal));
        }
        Ok(ladders)
    }

    fn steps(&self, signal: Signal) -> Vec<Reaction> {
        match self.ladders.iter().find(|(set, _)| *set == signal) {
            Some((_, steps)) => steps.clone(),
            None if signal == Signal::INT => ESCALATING.to_vec(),
            None => vec![Reaction::Stop],
        }
    }
}

impl fmt::Debug for SignalTaskBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalTaskBuilder")
            .field("name", &self.name)
            .field("signals", &self.signals)
            .field("ladders", &self.ladders)
            .field("repeat_window", &self.repeat_window)
            .field("dump_on", &self.dump_on)
            .finish_non_exhaustive()
    }
}
