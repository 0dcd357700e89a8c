//! A server that keeps its listener while its pod is deleted, and the clients that find it still:
//! how long the node passes new connections on to a pod that has to go.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;

/// How many clients connect in turn, and the time between two connections of one.
const CLIENTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(20);
/// A connection that takes longer is left alone.
const LIMIT: Duration = Duration::from_secs(1);

/// Prints when each connection comes, in milliseconds since 1970. As the first process of its
/// container, it has no use for `SIGTERM`, and ends by `SIGKILL`.
pub(crate) fn serve(address: &str) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    let mut stdout = io::stdout().lock();
    for connection in listener.incoming() {
        drop(connection?);
        writeln!(stdout, "{}", now())?;
        stdout.flush()?;
    }
    Ok(())
}

/// Connects until standard input ends.
pub(crate) fn connect(address: &str) -> Result<()> {
    let address: SocketAddr = address.parse()?;
    let has_ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !has_ended.load(SeqCst) {
                    // What cannot connect is not what is looked for.
                    drop(TcpStream::connect_timeout(&address, LIMIT));
                    thread::sleep(PAUSE);
                }
            });
        }
        let ended = io::stdin().read_to_end(&mut Vec::new());
        has_ended.store(true, SeqCst);
        ended
    })?;
    Ok(())
}

/// The time since 1970, in milliseconds.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
