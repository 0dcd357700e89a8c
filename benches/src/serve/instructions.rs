//! Instructions per request: a figure that the load of the machine does not change. What the kernel
//! executes is not in it, nor what a core waits for.

use std::process::{Command, Stdio};

use anyhow::Result;

use super::{PATHS, servers::NAMES};
use crate::server::{Server, VALGRIND};

/// How many requests are sent in the two rounds, whose difference leaves out the start.
const FEWER: usize = 500;
const MORE: usize = 2_500;

/// Prints a row for each path, if valgrind is there.
pub(super) async fn print() -> Result<()> {
    let version = Command::new(VALGRIND).arg("--version").stdout(Stdio::null()).status();
    if version.is_err() {
        println!("\nvalgrind is not installed (Debian: valgrind): no instructions per request");
        return Ok(());
    }
    println!("\nInstructions per request in user space, one worker, one client\n");
    println!("{:<8} {:>9} {:>9} {:>7}", "", "axum", "ours", "ratio");
    for (path, _) in PATHS {
        let [axum, ours] = [per_request(NAMES[0], path).await?, per_request(NAMES[1], path).await?];
        println!("{path:<8} {axum:>9.0} {ours:>9.0} {:>7.3}", ours / axum);
    }
    Ok(())
}

async fn per_request(name: &str, path: &str) -> Result<f64> {
    let fewer = Server::counted(name)?.instructions(path, FEWER).await?;
    let more = Server::counted(name)?.instructions(path, MORE).await?;
    Ok((more as f64 - fewer as f64) / (MORE - FEWER) as f64)
}
