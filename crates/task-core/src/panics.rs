//! What a panic leaves behind: its message from the payload, its place and backtrace from the
//! process-wide hook. Every crate of the workspace treats a panic that it caught in this way.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    cell::{Cell, RefCell},
    fmt,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook},
    sync::{Arc, Once},
    thread_local,
};

use crate::text::guarded_text;

/// The message of a panic whose payload is not text.
const NO_TEXT: &str = "(a payload that is no text)";

/// A panic that was caught.
///
/// `Display` is one line, with at most 16 KiB of the message.
///
/// # Examples
///
/// ```
/// use task_core::Panic;
///
/// let panic = Panic::catch(|| panic!("disk full")).unwrap_err();
/// assert_eq!(panic.message, "disk full");
/// assert!(panic.to_string().ends_with("disk full"));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Panic {
    /// The message, or a placeholder for a payload that is not text.
    pub message: String,
    /// `file:line:column`. `None` if no hook was installed, or another one was installed after it,
    /// or if the panic was outside of managed code.
    pub location: Option<String>,
    /// The backtrace, if `RUST_LIB_BACKTRACE` or else `RUST_BACKTRACE` asks for one.
    pub backtrace: Option<Arc<Backtrace>>,
}

impl Panic {
    /// Runs `body`, and returns a panic as a value, with its place as for a panic in a task. It is
    /// for entry points and wrappers, which run foreign code outside of any task.
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

    /// Returns the last panic of this thread that the hook saw, once.
    pub fn take_last() -> Option<Self> {
        LAST.try_with(RefCell::take).ok().flatten()
    }

    /// Adds the place of `seen` if that is the same panic. An earlier one, which foreign code
    /// caught itself, may have been the last that the hook saw.
    #[must_use]
    pub fn located_by(self, seen: Option<Self>) -> Self {
        seen.filter(|seen| seen.message == self.message).unwrap_or(self)
    }

    fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        let message = panic_text(&*payload).into();
        let seen = Self::take_last();
        // Only now: its drop may panic as well, and the hook would see that.
        discard(payload);
        Self { message, location: None, backtrace: None }.located_by(seen)
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "panicked at {location}: {}", guarded_text(&self.message)),
            None => write!(f, "panicked: {}", guarded_text(&self.message)),
        }
    }
}

/// Runs `body`, and returns a panic as a value. Its place is known only in managed code; see
/// [`Panic::catch`].
///
/// # Errors
///
/// The panic, if `body` panics.
pub fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(body)).map_err(Panic::from_payload)
}

thread_local! {
    /// Whether panics of this thread are located though no task runs on it.
    static LOCATED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Installs a panic hook, once per process. It records the place of a panic on a thread for which
/// `is_managed` returns `true`, and then calls the hook that was installed before.
pub fn install_hook(is_managed: fn() -> bool) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // `take_hook` panics on a thread that is panicking. Then only the places are missing.
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
    let is_captured = backtrace.status() == BacktraceStatus::Captured;
    let panic = Panic {
        message: panic_text(info.payload()).into(),
        location: info.location().map(ToString::to_string),
        backtrace: is_captured.then(|| Arc::new(backtrace)),
    };
    let _ = LAST.try_with(|last| last.replace(Some(panic)));
}

/// Drops a value whose drop may panic, and catches that panic. If the drop of the panic's payload
/// panics as well, the second payload is leaked.
///
/// # Examples
///
/// ```
/// use std::panic::catch_unwind;
/// use task_core::scope::{discard, panic_text};
///
/// let payload = catch_unwind(|| panic!("disk full")).unwrap_err();
/// assert_eq!(panic_text(&*payload), "disk full");
/// discard(payload);
/// ```
pub fn discard<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        catch_unwind(AssertUnwindSafe(|| drop(payload))).unwrap_or_else(std::mem::forget);
    }
}

/// Returns the message of a panic, or a placeholder if its payload is not text, as after
/// [`panic_any`](std::panic::panic_any).
pub fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let literal = payload.downcast_ref::<&'static str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or(NO_TEXT)
}
