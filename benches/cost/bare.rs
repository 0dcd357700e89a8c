//! The smallest service on bare tokio: two tasks, stopped by SIGTERM.

use std::time::Duration;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    for _ in 0..2 {
        tokio::spawn(async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
    term.recv().await;
    Ok(())
}
