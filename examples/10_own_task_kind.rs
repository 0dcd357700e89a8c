//! A kind of task of one's own.
//!
//! A library that ships a task depends on `task-core` alone, and implements [`Task`]. Two habits make a good one: the
//! constructor acquires (binds the socket, opens the file) and returns an error if it cannot, so that nothing fails
//! later that could have failed at the start; and `run` consumes the task, so it cannot be run twice.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{borrow::Cow, io, net::UdpSocket, time::Duration};

use task_core::{Context, Phase, Task};
use taskkit::{Manager, task_fn};
use tokio::time::sleep;

/// Answers datagrams with their own content.
#[derive(Debug)]
struct EchoTask {
    socket: UdpSocket,
    largest: usize,
}

impl EchoTask {
    /// Binds the socket. Port 0 takes any that is free; see [`port`](Self::port).
    fn bind(address: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        // A thread that reads cannot be woken by a stop; one that looks up often enough can do without.
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        Ok(Self { socket, largest: 1024 })
    }

    /// The largest datagram that is answered whole. Default: 1 KiB.
    fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }

    fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }
}

impl Task for EchoTask {
    // Without this, it would be named after its type.
    fn name(&self) -> Cow<'static, str> {
        "echo".into()
    }

    /// It lets work in, so it is stopped before what does the work.
    fn phase(&self) -> Phase {
        Phase::INGRESS
    }

    /// The group is not ready before this task says so.
    fn gates_readiness(&self) -> bool {
        true
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        // A kind of task can be made of another one: this is the thread of `blocking_task`.
        task_core::blocking_task("echo", move |ctx: Context| self.serve(&ctx)).run(ctx).await
    }
}

impl EchoTask {
    fn serve(&self, ctx: &Context) -> anyhow::Result<()> {
        let mut buffer = vec![0; self.largest];
        let mut answered = 0_u64;
        ctx.set_ready(true);
        while !ctx.is_cancelled() {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, sender)) => {
                    self.socket.send_to(&buffer[..length], sender)?;
                    answered += 1;
                    ctx.set_status(format!("{answered} datagrams answered"));
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        println!("echo: stopped after {answered} datagrams");
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let manager = Manager::new();
    let echo = EchoTask::bind("127.0.0.1:0")?.largest(64);
    let port = echo.port()?;
    manager.run(echo)?;
    manager.ready().await?;

    manager.run(task_fn("client", async move |_ctx| {
        let socket = tokio::task::spawn_blocking(move || ask(port)).await??;
        println!("client: got {socket:?}");
        sleep(Duration::from_millis(10)).await;
        Ok(()) // a critical task's end stops the group
    }))?;
    println!("\n{}", manager.wait().await?);
    Ok(())
}

fn ask(port: u16) -> io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send_to(b"hello", ("127.0.0.1", port))?;
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}
