//! The default action of a signal whose handler cannot be taken back, and the exit that needs nobody.

use std::{io, process, sync::atomic::AtomicBool};

use signal_hook::{
    flag,
    low_level::{self, emulate_default_handler, signal_name},
};

use crate::Signal;

/// Makes the signal's default action happen whenever it comes while `condition` holds, for the rest of the process.
///
/// signal-hook never uninstalls a handler, so the default action is played from inside of it: the handler restores
/// the real one and raises the signal again. Two kinds of signals end the process by [`exit_now`] instead: those that
/// signal-hook has no default action for (real-time signals), and all of them in the first process of a pid namespace,
/// which the system shields from its own default actions.
pub(super) fn register(signal: Signal, condition: &'static AtomicBool) -> io::Result<()> {
    let number = signal.number();
    if must_exit(signal) {
        flag::register_conditional_shutdown(number, signal.exit_code(), condition)?;
    } else {
        flag::register_conditional_default(number, condition)?;
    }
    Ok(())
}

/// Does what the signal does by default, on this thread.
pub(super) fn play(signal: Signal) {
    if must_exit(signal) {
        exit_now(signal.exit_code());
    }
    // It fails for signals without a default action only, and those are above.
    let _ = emulate_default_handler(signal.number());
}

/// Ends the process at once: nothing runs any more, not even what was registered for the exit, because that could
/// wait for a thread that is stuck.
pub(crate) fn exit_now(code: i32) -> ! {
    low_level::exit(code)
}

fn must_exit(signal: Signal) -> bool {
    const HARMLESS: [i32; 7] = [
        libc::SIGCHLD,
        libc::SIGCONT,
        libc::SIGURG,
        libc::SIGWINCH,
        libc::SIGTSTP,
        libc::SIGTTIN,
        libc::SIGTTOU,
    ];
    let number = signal.number();
    signal_name(number).is_none() || (process::id() == 1 && !HARMLESS.contains(&number))
}
