//! What a panic leaves behind: its message from the payload, its place and backtrace from the process-wide hook.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    cell::{Cell, RefCell},
    fmt,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook},
    sync::{Arc, Once},
};

use task_core::scope::panic_text;

pub(crate) use task_core::scope::discard;

use crate::sync::thread_local;

/// A panic that was caught.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Panic {
    /// The message, or a placeholder for a payload that is no text.
    pub message: String,
    /// `file:line:column`, unless the hook was replaced after the first manager was made, or was declined.
    pub location: Option<String>,
    /// The backtrace, where `RUST_LIB_BACKTRACE` or else `RUST_BACKTRACE` asks for one.
    pub backtrace: Option<Arc<Backtrace>>,
}

impl Panic {
    /// Runs `body`; a panic becomes a value, with its place as for a panic in a task. For entry points and the like,
    /// which run code of the user's that is no task.
    ///
    /// # Errors
    ///
    /// The panic, if `body` panics.
    pub fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Self> {
        let before = LOCATED.with(|located| located.replace(true));
        let result = catch(body);
        LOCATED.with(|located| located.set(before));
        result
    }

    /// Makes one out of a caught payload. The payload is dropped here, and its own panics with it.
    pub(crate) fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        let message = panic_text(&*payload).unwrap_or("(a payload that is no text)").into();
        let place = Place::take();
        // After that: its drop may panic as well, and leave a place of its own.
        discard(payload);
        let panic = Self { message, location: None, backtrace: None };
        match place {
            Some(place) => panic.at(place),
            None => panic,
        }
    }

    /// Adds the place, if it is this panic's: an earlier panic that the user caught may have left its own.
    pub(crate) fn at(self, place: Place) -> Self {
        if place.message.as_ref().is_some_and(|message| *message != self.message) {
            return self;
        }
        Self { location: place.location, backtrace: place.backtrace, ..self }
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "panicked at {location}: {}", self.message),
            None => write!(f, "panicked: {}", self.message),
        }
    }
}

/// Runs `body`; a panic becomes a value.
pub(crate) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(body)).map_err(Panic::from_payload)
}

/// Formats something of the user's, whose own `Display` may panic.
pub(crate) fn display(value: &dyn fmt::Display) -> String {
    catch(|| format!("{value:#}")).unwrap_or_else(|_| String::from("(its Display panicked)"))
}

/// As [`display`], without the causes.
#[cfg(feature = "serde")]
pub(crate) fn display_alone(value: &dyn fmt::Display) -> String {
    catch(|| value.to_string()).unwrap_or_else(|_| String::from("(its Display panicked)"))
}

/// Where the last panic of this thread happened.
pub(crate) struct Place {
    /// The payload's text, if it is one.
    message: Option<String>,
    location: Option<String>,
    backtrace: Option<Arc<Backtrace>>,
}

impl Place {
    pub(crate) fn take() -> Option<Self> {
        LAST.try_with(RefCell::take).ok().flatten()
    }
}

thread_local! {
    /// Whether panics of this thread are located though no task runs on it.
    static LOCATED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Installs the hook, once per process. It records the place of a panic in managed code, and then
/// calls the hook that was installed before. `is_managed` returns whether the calling thread runs such code.
pub(crate) fn install_hook(is_managed: fn() -> bool) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // `take_hook` panics on a thread that is panicking; then the places are lost, and nothing else.
        if std::thread::panicking() {
            return;
        }
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if is_managed() || LOCATED.try_with(Cell::get).unwrap_or(false) {
                remember(info);
            }
            previous(info);
        }));
    });
}

fn remember(info: &PanicHookInfo<'_>) {
    let backtrace = Backtrace::capture();
    let place = Place {
        message: panic_text(info.payload()).map(String::from),
        location: info.location().map(ToString::to_string),
        backtrace: (backtrace.status() == BacktraceStatus::Captured).then(|| Arc::new(backtrace)),
    };
    let _ = LAST.try_with(|slot| slot.replace(Some(place)));
}
