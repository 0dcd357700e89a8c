//! What `panic = "abort"` means: a panic ends the process there and then, with no shutdown and no
//! cleanup.
//!
//! `cargo xtask deep abort` builds it that way and checks that the process aborts (134 for a shell)
//! and that nothing was cleaned up. Built with the default, it stops in order, cleans up, and exits
//! with 1.
//!
//! Expected exit code: 1
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use task_manager::{Manager, task_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let manager = Manager::new();
    let hook = async || {
        eprintln!("cleaned up");
        Ok(())
    };
    let worker = task_fn("worker", async |_| panic!("the end"));
    if manager.cleanup("close", hook).is_err() || manager.run(worker).is_err() {
        return ExitCode::from(2);
    }
    match manager.wait().await {
        Ok(report) => ExitCode::from(report.exit_code()),
        Err(error) => {
            println!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
