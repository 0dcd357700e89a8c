//! A chat server: many connections within one task, and none of them can stop the service.
//!
//! - `Children` bounds how many connections live, names each, and belongs to the task `chat`.
//! - A client's error is recorded by the connection's name, and the server goes on. Real servers
//!   often count such errors instead: `count_failures`.
//! - A stop ends the loop that accepts, and reaches each connection, which says goodbye. One that
//!   does not end by the deadline is aborted, and named if it cannot be.
//!
//! The report is not clean: Carol sent what is not UTF-8.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::time::Duration;

use taskkit::{Children, Context, Manager, task_fn};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    select,
    sync::broadcast,
    time::sleep,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let manager = Manager::new();
    manager.run(task_fn("chat", async |ctx| serve(ctx, listener).await))?;

    let mut alice = TcpStream::connect(address).await?;
    let mut bob = TcpStream::connect(address).await?;
    let mut carol = TcpStream::connect(address).await?;
    sleep(Duration::from_millis(100)).await; // all are in
    carol.write_all(b"\xff\xff\n").await?;
    alice.write_all(b"hello\n").await?;
    sleep(Duration::from_millis(100)).await;

    let result = manager.shutdown().await;
    let mut heard = String::new();
    bob.read_to_string(&mut heard).await?;
    print!("Bob heard:\n{heard}");
    if let Err(error) = result {
        println!("{error:#}"); // … connection 127.0.0.1:…: stream did not contain valid UTF-8
    }
    Ok(())
}

async fn serve(ctx: Context, listener: TcpListener) -> anyhow::Result<()> {
    let (lines, _) = broadcast::channel(1_000);
    let accept = async |connections: &Children| {
        loop {
            let (stream, peer) = ctx.or_cancelled(listener.accept()).await??;
            let lines = lines.clone();
            let talk = async move |ctx| talk(ctx, stream, lines).await;
            connections.spawn(format!("connection {peer}"), talk).await?; // waits for a place
        }
    };
    Children::new(&ctx, 10_000)?.scope(accept).await
}

/// One connection. It ends with the client, with an error, or at the stop.
async fn talk(
    ctx: Context,
    stream: TcpStream,
    lines: broadcast::Sender<String>,
) -> anyhow::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let (mut said, mut heard) = (BufReader::new(reader).lines(), lines.subscribe());
    loop {
        select! {
            line = said.next_line() => match line? {
                Some(line) => { let _ = lines.send(line + "\n"); }
                None => return Ok(()),
            },
            line = heard.recv() => writer.write_all(line?.as_bytes()).await?,
            () = ctx.cancelled() => return Ok(writer.write_all(b"bye\n").await?),
        }
    }
}
