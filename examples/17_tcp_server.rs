//! A TCP server with thousands of connections, which all end within the budget of the shutdown.
//!
//! - Each connection is a child of the task `server`, and `Children` bounds them: the next client
//!   waits in the queue of the listener until one has left.
//! - The stop reaches every connection: an idle one ends at once, one that is answering finishes.
//! - One client does not read its answer. Its connection is cut at the deadline, and named in the
//!   report; the answer that another one waits for is complete.
//! - `accept` fails while the process has too many open files. That is no reason to end.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use taskkit::{Children, Context, Manager, Phase, Task, task_fn};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, repeat},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

/// The most connections at the same time.
const CONNECTIONS: usize = 2_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let manager = Manager::builder().shutdown_timeout(Duration::from_millis(1500)).build()?;
    manager.run(task_fn("server", |ctx| serve(ctx, listener)).in_phase(Phase::INGRESS))?;

    // Each of these clients has one answer and stays.
    let mut clients = Vec::new();
    while clients.len() < CONNECTIONS
        && let Ok(Ok(client)) = timeout(Duration::from_secs(5), ask(address, 100)).await
    {
        clients.push(client); // they end early where `ulimit -n` is too low for so many
    }
    println!("{} connections are open", manager.group().snapshot().tasks[0].children);
    let mut reading = clients.pop().expect("a client");
    let mut stuck = clients.pop().expect("a client");
    reading.write_u32(20_000_000).await?; // more than the sockets hold
    stuck.write_u32(20_000_000).await?;
    let read = tokio::spawn(async move {
        sleep(Duration::from_millis(200)).await; // it reads once the stop has begun
        let mut answer = Vec::new();
        reading.read_to_end(&mut answer).await.map(|_| answer.len())
    });
    sleep(Duration::from_millis(100)).await; // the server answers both

    if let Err(error) = manager.shutdown().await
        && let Some(report) = error.report()
    {
        println!("{report}");
    }
    println!("the client that reads had {} bytes", read.await??);
    Ok(())
}

/// Connects, and reads a short answer.
async fn ask(address: SocketAddr, bytes: u32) -> anyhow::Result<TcpStream> {
    let mut client = TcpStream::connect(address).await?;
    client.write_u32(bytes).await?;
    client.read_exact(&mut vec![0; bytes as usize]).await?;
    Ok(client)
}

async fn serve(ctx: Context, listener: TcpListener) -> anyhow::Result<()> {
    let accept = async |connections: &Children| {
        loop {
            let (stream, peer) = match ctx.or_cancelled(listener.accept()).await? {
                Ok(accepted) => accepted,
                Err(error) => {
                    ctx.set_status(format!("cannot accept: {error}"));
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let answer = async move |ctx| answer(ctx, stream).await;
            connections.spawn(format!("connection {peer}"), answer).await?; // waits for a place
        }
    };
    Children::new(&ctx, CONNECTIONS)?.scope(accept).await
}

/// Answers each number with so many bytes. The stop ends the wait for the next number alone.
async fn answer(ctx: Context, mut stream: TcpStream) -> anyhow::Result<()> {
    loop {
        let bytes = match ctx.or_cancelled(stream.read_u32()).await? {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        };
        ctx.set_status(format!("sending {bytes} bytes"));
        copy(&mut repeat(b'x').take(bytes.into()), &mut stream).await?;
    }
}
