//! Clients that connect all the time, in the network of the booted system.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

/// How many clients there are at once.
const CLIENTS: usize = 4;
/// The time between two requests of a client.
const PAUSE: Duration = Duration::from_millis(2);
/// What waits longer has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// Connects, asks and reads until standard input ends. Prints how many requests were served and how
/// many were not, and how many milliseconds the slowest took.
pub(crate) fn run(address: &str) -> Result<()> {
    let address: SocketAddr = address.parse()?;
    let (has_ended, served, failed) =
        (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let slowest = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !has_ended.load(SeqCst) {
                    let begun = Instant::now();
                    match ask(address) {
                        Ok(()) => served.fetch_add(1, SeqCst),
                        Err(error) => {
                            eprintln!("load: {error}");
                            failed.fetch_add(1, SeqCst)
                        }
                    };
                    slowest.fetch_max(begun.elapsed().as_millis() as u64, SeqCst);
                    thread::sleep(PAUSE);
                }
            });
        }
        let ended = io::stdin().read_to_end(&mut Vec::new());
        has_ended.store(true, SeqCst);
        ended
    })?;
    println!("{} {} {}", served.into_inner(), failed.into_inner(), slowest.into_inner());
    Ok(())
}

fn ask(address: SocketAddr) -> io::Result<()> {
    let mut connection = TcpStream::connect_timeout(&address, LIMIT)?;
    connection.set_read_timeout(Some(LIMIT))?;
    connection.write_all(b"ask\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    match answer.as_str() {
        "served\n" => Ok(()),
        _ => Err(io::Error::other(format!("the answer is {answer:?}"))),
    }
}
