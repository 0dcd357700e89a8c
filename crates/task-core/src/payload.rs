//! What is the user's and may panic when it is dropped: a panic's payload above all.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Drops a value of the user's, whose own drop may panic, as may the drop of what it panics with: leaking that is all
/// that is left then.
pub fn discard<T>(value: T) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        catch_unwind(AssertUnwindSafe(|| drop(payload))).unwrap_or_else(std::mem::forget);
    }
}

/// Returns the text of a panic's payload; `None` if it is none.
pub fn panic_text(payload: &(dyn Any + Send)) -> Option<&str> {
    let literal = payload.downcast_ref::<&'static str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}
