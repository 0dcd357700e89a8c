//! What a panic leaves behind: its message from the payload, its place and backtrace from the
//! process-wide hook. Every crate of the workspace treats a panic that it caught in this way.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    cell::{Cell, RefCell},
    error::Error,
    fmt,
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook},
    sync::{Arc, Once},
    thread::panicking,
};

use crate::text::guarded_text;

/// The message of a panic whose payload is not text.
const NO_TEXT: &str = "(a payload that is no text)";
/// The message of a panic that is only known to unwind its thread.
const NO_HOOK: &str = "(no panic hook saw the text)";

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

    /// Returns the last panic of managed code on this thread that the hook saw, once.
    pub fn take_last() -> Option<Self> {
        let last = LAST.try_with(|last| last.borrow_mut().take_if(|last| last.is_managed));
        last.ok().flatten().map(|last| last.panic)
    }

    /// Returns the panic that unwinds this thread, also outside of managed code.
    pub(crate) fn unwinding() -> Self {
        let last = LAST.try_with(|last| last.borrow().as_ref().map(|last| last.panic.clone()));
        last.ok().flatten().unwrap_or_else(|| Self::new(NO_HOOK))
    }

    /// Describes a panic of managed code on this thread by its payload, which the caller keeps, as
    /// the next [`catch`] will.
    pub(crate) fn of_payload(payload: &(dyn Any + Send)) -> Self {
        let seen = LAST.try_with(|last| {
            last.borrow().as_ref().filter(|last| last.is_managed).map(|last| last.panic.clone())
        });
        Self::new(panic_text(payload)).located_by(seen.ok().flatten())
    }

    fn new(message: &str) -> Self {
        Self { message: message.into(), location: None, backtrace: None }
    }

    /// Adds the place of `seen` if that is the same panic. An earlier one, which foreign code
    /// caught itself, may have been the last that the hook saw.
    #[must_use]
    pub fn located_by(self, seen: Option<Self>) -> Self {
        seen.filter(|seen| seen.message == self.message).unwrap_or(self)
    }

    fn from_payload(payload: Box<dyn Any + Send>) -> Self {
        let panic = Self::new(panic_text(&*payload)).located_by(Self::take_last());
        // Only now: its drop may panic as well, and the hook would see that.
        discard(payload);
        panic
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

/// So that a panic that was survived can be the cause of another error.
impl Error for Panic {}

/// Runs `body`, and returns a panic as a value. Its place is known only in managed code; see
/// [`Panic::catch`].
///
/// # Errors
///
/// The panic, if `body` panics.
pub fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Panic> {
    catch_unwind(AssertUnwindSafe(body)).map_err(Panic::from_payload)
}

/// Runs `body`, whose panic is the answer to a question and no bug. Returns `None` if it panics.
/// The hook, where it is [installed](install_hook), says nothing of it.
pub fn probe<R>(body: impl FnOnce() -> R) -> Option<R> {
    let before = PROBES.with(|probes| probes.replace(true));
    let result = catch(body);
    PROBES.with(|probes| probes.set(before));
    result.ok()
}

/// A panic that the hook saw.
struct Seen {
    panic: Panic,
    is_managed: bool,
}

thread_local! {
    /// Whether panics of this thread are located though no task runs on it.
    static LOCATED: Cell<bool> = const { Cell::new(false) };
    /// Whether a panic of this thread is an answer.
    static PROBES: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<Seen>> = const { RefCell::new(None) };
    /// What the last panic of this thread was reported to.
    static REPORTED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Installs a panic hook, once per process. It records each panic, with a backtrace only on a
/// thread for which `is_managed` returns `true`, and then calls the hook that was installed before.
/// The panic of a [`probe`] is not passed on.
pub fn install_hook(is_managed: fn() -> bool) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // `take_hook` panics on a thread that is panicking. Then only the places are missing.
        if panicking() {
            return;
        }
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if PROBES.try_with(Cell::get).unwrap_or(false) {
                return;
            }
            remember(info, is_managed() || LOCATED.try_with(Cell::get).unwrap_or(false));
            previous(info);
        }));
    });
}

fn remember(info: &PanicHookInfo<'_>, is_managed: bool) {
    let backtrace = is_managed.then(Backtrace::capture);
    let is_captured = |backtrace: &Backtrace| backtrace.status() == BacktraceStatus::Captured;
    let panic = Panic {
        message: panic_text(info.payload()).into(),
        location: info.location().map(ToString::to_string),
        backtrace: backtrace.filter(is_captured).map(Arc::new),
    };
    let _ = LAST.try_with(|last| last.replace(Some(Seen { panic, is_managed })));
    let _ = REPORTED.try_with(RefCell::take);
}

/// Forgets what an earlier panic of this thread was reported to, unless that one still unwinds. For
/// where the hook does not.
pub(crate) fn forget_reports() {
    if !panicking() {
        let _ = REPORTED.try_with(RefCell::take);
    }
}

/// Returns whether the last panic of this thread is not yet reported to what is at this address,
/// and notes down that it is now.
pub(crate) fn is_first_report(address: usize) -> bool {
    let is_first = REPORTED.try_with(|reported| {
        let mut reported = reported.borrow_mut();
        let is_first = !reported.contains(&address);
        if is_first {
            reported.push(address);
        }
        is_first
    });
    is_first.unwrap_or(true)
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
