//! The default action of a signal whose handler cannot be removed, and the immediate exit.

use std::{
    io, process,
    sync::{Arc, atomic::AtomicBool},
};

use libc::{SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};
use nix::sys::signal::{SigSet, Signal as Standard};
use signal_hook::{
    flag,
    low_level::{self, emulate_default_handler, signal_name},
};

use crate::values::Signal;

/// Registers the signal's default action for whenever the signal arrives while `condition` is set,
/// for the rest of the process.
///
/// signal-hook never uninstalls a handler, so the default action is performed inside of it: the
/// handler restores the real one and raises the signal again. Two kinds of signals end the process
/// by [`exit_now`] instead: those that signal-hook has no default action for (real-time signals),
/// and all of them in the first process of a pid namespace, which the system shields from its own
/// default actions.
pub(super) fn register(signal: Signal, condition: &Arc<AtomicBool>) -> io::Result<()> {
    let number = signal.number();
    let condition = Arc::clone(condition);
    let registered = if must_exit(signal) {
        flag::register_conditional_shutdown(number, signal.exit_code(), condition)
    } else {
        flag::register_conditional_default(number, condition)
    };
    registered.map(drop)
}

/// Performs the signal's default action on this thread.
pub(super) fn perform(signal: Signal) {
    if must_exit(signal) {
        exit_now(signal.exit_code());
    }
    // It fails only for signals without a default action, which exit above.
    let _ = emulate_default_handler(signal.number());
}

/// Has a signal arrive once more, at all who capture it or by its default action. Its sender is
/// this process then. The calling thread unblocks it.
pub(crate) fn send_again(signal: Signal) {
    if let Ok(standard) = Standard::try_from(signal.number()) {
        let _ = SigSet::from(standard).thread_unblock();
    }
    // It fails only for a number that is no signal, and this one has arrived before.
    let _ = low_level::raise(signal.number());
}

/// Ends the process at once. Nothing else runs, not even functions registered with `atexit`, which
/// could wait for a thread that is blocked.
pub(crate) fn exit_now(code: i32) -> ! {
    low_level::exit(code)
}

fn must_exit(signal: Signal) -> bool {
    const HARMLESS: [i32; 7] = [SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH];
    let number = signal.number();
    signal_name(number).is_none() || (process::id() == 1 && !HARMLESS.contains(&number))
}
