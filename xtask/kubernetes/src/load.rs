//! Clients that place orders all the time, in the network of the node.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

/// How many clients there are at once.
const CLIENTS: usize = 4;
/// The time between two requests of a client. Each takes a new connection, and one address has
/// ports for some hundred a second.
const PAUSE: Duration = Duration::from_millis(25);
/// A request that waits longer has failed.
const LIMIT: Duration = Duration::from_secs(3);
/// The time until an address has to answer for the first time.
const FIRST: Duration = Duration::from_secs(60);
/// How often an order is tried before the client fails, with all that come behind it.
const TRIES: usize = 200;
/// How many failures are shown in full.
const SHOWN: usize = 5;
/// The orders of one page, the most that the shop gives.
const PAGE: usize = 1_000;

/// Places orders until standard input ends, each until it is acknowledged, then reads all that are
/// recorded. Prints one object: `placed` orders, `failed` requests with the first of their
/// `errors`, and the acknowledged orders that are `lost`.
pub(crate) fn run(address: &str) -> Result<()> {
    let address: SocketAddr = address.parse()?;
    await_first(address)?;
    let begun = Instant::now();
    let has_ended = AtomicBool::new(false);
    let failed = AtomicU64::new(0);
    let errors = Mutex::new(Vec::new());
    let run = format!("{:08x}", std::process::id());
    let placed = thread::scope(|scope| -> Result<Vec<usize>> {
        let client = |client: usize| {
            let (has_ended, failed, errors, run) = (&has_ended, &failed, &errors, &run);
            scope.spawn(move || -> Result<usize> {
                let mut placed = 0;
                while !has_ended.load(SeqCst) {
                    let id = id(run, client, placed);
                    let mut tries = 0;
                    while let Err(error) = place(address, &id) {
                        failed.fetch_add(1, SeqCst);
                        let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
                        if errors.len() < SHOWN {
                            let after = begun.elapsed().as_secs_f64();
                            errors.push(format!("after {after:.3} s: {error:#}"));
                        }
                        drop(errors);
                        tries += 1;
                        ensure!(tries < TRIES, "{id} cannot be placed: {error:#}");
                        thread::sleep(PAUSE);
                    }
                    placed += 1;
                    thread::sleep(PAUSE);
                }
                Ok(placed)
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        let ended = io::stdin().read_to_end(&mut Vec::new());
        has_ended.store(true, SeqCst);
        ended?;
        let join = |client: thread::ScopedJoinHandle<'_, Result<usize>>| {
            client.join().unwrap_or_else(|_| bail!("a client has panicked"))
        };
        clients.into_iter().map(join).collect()
    })?;
    let recorded = recorded(address)?;
    let acknowledged = placed.iter().enumerate().flat_map(|(client, placed)| {
        let run = &run;
        (0..*placed).map(move |number| id(run, client, number))
    });
    let lost: Vec<_> = acknowledged.filter(|id| recorded.binary_search(id).is_err()).collect();
    let seen = json!({
        "placed": placed.iter().sum::<usize>(),
        "failed": failed.into_inner(),
        "errors": errors.into_inner().unwrap_or_else(PoisonError::into_inner),
        "lost": lost,
    });
    println!("{seen}");
    Ok(())
}

/// Waits until the address answers: the node passes connections on some time after the pods behind
/// it are ready.
fn await_first(address: SocketAddr) -> Result<()> {
    let begun = Instant::now();
    while let Err(error) = ask(address, "GET /orders?limit=1 HTTP/1.1", "") {
        ensure!(begun.elapsed() < FIRST, "{address} does not answer: {error:#}");
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn id(run: &str, client: usize, number: usize) -> String {
    format!("{run}-{client}-{number:08}")
}

fn place(address: SocketAddr, id: &str) -> Result<()> {
    let order = json!({ "id": id, "item": "tea", "quantity": 1 }).to_string();
    let head = "POST /orders HTTP/1.1\r\nContent-Type: application/json";
    let (status, body) = ask(address, head, &order)?;
    ensure!([200, 201].contains(&status), "status {status}: {body}");
    Ok(())
}

/// The ids of all recorded orders, in order.
fn recorded(address: SocketAddr) -> Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let after = all.last().map_or("", String::as_str);
        let head = format!("GET /orders?after={after}&limit={PAGE} HTTP/1.1");
        let (status, body) = ask(address, &head, "")?;
        ensure!(status == 200, "status {status}: {body}");
        let page: Value = serde_json::from_str(&body)?;
        let orders = page["orders"].as_array().context("the answer has no orders")?;
        let before = all.len();
        for order in orders {
            all.push(order["id"].as_str().context("an order has no id")?.to_owned());
        }
        ensure!(all[before..].is_sorted(), "a page is not in order");
        if orders.len() < PAGE {
            return Ok(all);
        }
    }
}

/// Sends a request on a new connection, and returns the status and the body.
fn ask(address: SocketAddr, head: &str, body: &str) -> Result<(u16, String)> {
    let mut connection = TcpStream::connect_timeout(&address, LIMIT).context("connect")?;
    connection.set_read_timeout(Some(LIMIT))?;
    let length = body.len();
    let request = format!(
        "{head}\r\nHost: shop\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    connection.write_all(request.as_bytes()).context("write")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).context("read")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer is cut short")?;
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("no HTTP: {head}"))?;
    let mut lengths = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = lengths.next_back().context("the answer names no length")?;
    ensure!(body.len() == length, "the answer is cut short");
    Ok((status, body.to_owned()))
}
