//! Values of the user's that may panic when dropped, such as the payload of a panic.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

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
/// assert_eq!(panic_text(&*payload), Some("disk full"));
/// discard(payload);
/// ```
pub fn discard<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        catch_unwind(AssertUnwindSafe(|| drop(payload))).unwrap_or_else(std::mem::forget);
    }
}

/// Returns the message of a panic. `None` if its payload is not text, as after
/// [`panic_any`](std::panic::panic_any).
pub fn panic_text(payload: &(dyn Any + Send)) -> Option<&str> {
    let literal = payload.downcast_ref::<&'static str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}
