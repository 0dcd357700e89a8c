//! The handle for what a service reports by itself: reloads, and sockets to keep.

#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
use std::{fmt, sync::Arc, time::Duration};

use anyhow::anyhow;
use task_core::scope::guarded_text;
use tokio::time::timeout;

use crate::{
    channel::Channel,
    error::{ErrorKind, SystemdError},
    message::Message,
};

/// The longest name of a stored socket that systemd takes.
const MAX_NAME: usize = 255;

/// A handle of a [`SystemdTask`](crate::SystemdTask), for what a service reports by itself. It is
/// cheap to clone. Outside of systemd its methods do nothing.
///
/// # Examples
///
/// A reload at `SIGHUP`, for a unit with `Type=notify-reload`, by `SignalTrigger` of `task-signal`:
///
/// ```
/// # use std::time::Duration;
/// # use task_systemd::SystemdTask;
/// # async fn load() -> anyhow::Result<()> { Ok(()) }
/// # fn trigger<F: Future<Output = anyhow::Result<()>>>(_: &str, _: impl FnMut(()) -> F) {}
/// # fn main() -> Result<(), task_systemd::SystemdError> {
/// let systemd = SystemdTask::new()?;
/// let notifier = systemd.notifier();
/// let reload = trigger("configuration", move |_ctx| {
///     let notifier = notifier.clone();
///     async move { notifier.reload(Duration::from_secs(30), load()).await }
/// });
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Notifier(Option<Arc<Channel>>);

impl Notifier {
    pub(crate) fn new(channel: Option<Arc<Channel>>) -> Self {
        Self(channel)
    }

    /// Returns whether there is a systemd to report to.
    pub fn is_active(&self) -> bool {
        self.0.is_some()
    }

    /// Awaits `reload` for up to `limit`, and reports its beginning, its end and its failure.
    /// Returns its result.
    ///
    /// It is [`reloading`](Self::reloading) around a future: a failure is in the status until a
    /// later reload succeeds. The limit is there because systemd may have none: versions about 257
    /// wait without end for a reload that was begun.
    ///
    /// # Errors
    ///
    /// The error of `reload`, or that it has not ended within `limit`: it is dropped then.
    ///
    /// # Panics
    ///
    /// In a runtime without timers.
    ///
    /// # Cancel safety
    ///
    /// That of `reload`. A call that is dropped before its end, or in which `reload` panics, is
    /// reported as one that failed.
    pub async fn reload(
        &self,
        limit: Duration,
        reload: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let mut reloading = self.reloading();
        // Unless it comes to its end.
        reloading.failure = Some("it was dropped unfinished".into());
        let result = match timeout(limit, reload).await {
            Ok(result) => result,
            Err(_) => Err(anyhow!("the reload did not end within {limit:?}")),
        };
        let failure = result.as_ref().err();
        reloading.failure = failure.map(|error| guarded_text(format_args!("{error:#}")));
        result
    }

    /// Reports that a reload begins, and its end when the value that it returns is dropped.
    ///
    /// `systemctl reload` waits for that end where the unit has `Type=notify-reload`. systemd has
    /// no message for a reload that failed: it ends like any other, and the status says what
    /// [failed](Reloading::fail). Reloads that overlap are reported as one. Before the group is
    /// ready for the first time, and once its shutdown has begun, nothing is reported. The value
    /// has no limit of time; [`reload`](Self::reload) has.
    pub fn reloading(&self) -> Reloading {
        let is_announced = self.0.as_ref().is_some_and(|channel| channel.begin_reload());
        Reloading { channel: self.0.clone(), is_announced, failure: None }
    }

    /// Gives a socket to systemd to keep, under a name, while the service is restarted. The next
    /// process finds it among its [`Listeners`](crate::Listeners).
    ///
    /// The socket goes on being used here. A socket that systemd keeps already is not kept twice.
    /// The unit needs `FileDescriptorStoreMax=`; without it, systemd drops the socket and reports
    /// nothing. It is closed when the unit is stopped, and kept when it is restarted or fails.
    ///
    /// # Errors
    ///
    /// If the name is empty, longer than 255 bytes, or has a colon or anything but printable ASCII
    /// characters; or if the descriptor cannot be duplicated.
    #[cfg(target_os = "linux")]
    pub fn store(&self, name: &str, socket: impl AsFd) -> Result<(), SystemdError> {
        check(name)?;
        let Some(channel) = &self.0 else { return Ok(()) };
        let duplicate = socket.as_fd().try_clone_to_owned();
        let duplicate = duplicate.map_err(|source| ErrorKind::Socket {
            name: name.to_owned(),
            wanted: "a descriptor to keep",
            source,
        })?;
        channel.say(Message::store(name), Some(duplicate));
        Ok(())
    }

    /// Asks systemd to close the sockets that it keeps under this name.
    ///
    /// # Errors
    ///
    /// If the name is not one, as for `store`.
    pub fn remove(&self, name: &str) -> Result<(), SystemdError> {
        check(name)?;
        if let Some(channel) = &self.0 {
            channel.say(Message::remove(name), None);
        }
        Ok(())
    }

    /// Waits until systemd has taken in everything that was reported so far, and returns whether it
    /// has within `timeout`. Blocks the thread for as long.
    ///
    /// systemd looks up the sender of a message by its process, and drops the message if that has
    /// ended: what is reported last may be lost if the process exits right after.
    pub fn barrier(&self, timeout: Duration) -> bool {
        self.0.as_ref().is_none_or(|channel| channel.barrier(timeout))
    }
}

/// A reload in progress, made by [`Notifier::reloading`]. Its drop reports the end.
#[derive(Debug)]
#[must_use = "the reload ends when this is dropped"]
pub struct Reloading {
    channel: Option<Arc<Channel>>,
    is_announced: bool,
    failure: Option<String>,
}

impl Reloading {
    /// Ends the reload as failed: the status has the error at its end until a later reload
    /// succeeds.
    pub fn fail(mut self, error: impl fmt::Display) {
        self.failure = Some(guarded_text(error));
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        if let Some(channel) = &self.channel {
            channel.end_reload(self.is_announced, self.failure.take());
        }
    }
}

/// As systemd checks the name of a descriptor.
fn check(name: &str) -> Result<(), ErrorKind> {
    let fault = if name.is_empty() {
        "is empty"
    } else if name.len() > MAX_NAME {
        "is longer than 255 bytes"
    } else if name.bytes().any(|byte| byte == b':' || !(b' '..=b'~').contains(&byte)) {
        "has a colon or a character that is not printable ASCII"
    } else {
        return Ok(());
    };
    Err(ErrorKind::Setting { what: "socket name", value: guarded_text(name), fault })
}
