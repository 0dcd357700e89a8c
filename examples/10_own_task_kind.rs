//! A custom kind of task.
//!
//! A library that ships a task depends on `task-core` alone and implements [`Task`]. The
//! constructor acquires what the task needs (it binds the socket, opens the file) and returns an
//! error if it cannot: then the service fails at its start, not later. `run` consumes the task, so
//! a task cannot run twice.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{borrow::Cow, io, net::UdpSocket, time::Duration};

use task_core::{Context, Phase, Task};
use taskkit::{Manager, task_fn};
use tokio::time::sleep;

/// Sends each datagram back to its sender.
#[derive(Debug)]
struct EchoTask {
    socket: UdpSocket,
    largest: usize,
}

impl EchoTask {
    /// Binds the socket. Port 0 selects a free port; see [`port`](Self::port).
    fn bind(address: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        // A stop cannot wake a thread in `recv_from`, so the thread checks its context every 50 ms.
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        Ok(Self { socket, largest: 1024 })
    }

    /// Sets the largest datagram that is echoed whole, in bytes. Default: 1024.
    fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }

    fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }
}

impl Task for EchoTask {
    // The default is the name of the type.
    fn name(&self) -> Cow<'static, str> {
        "echo".into()
    }

    // Ingress stops before the workers.
    fn phase(&self) -> Phase {
        Phase::INGRESS
    }

    // The group is not ready before this task calls `set_ready`.
    fn gates_readiness(&self) -> bool {
        true
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        // Delegates to another kind of task, which brings the thread.
        task_core::blocking_task("echo", move |ctx: Context| self.serve(&ctx)).run(ctx).await
    }
}

impl EchoTask {
    fn serve(&self, ctx: &Context) -> anyhow::Result<()> {
        let mut buffer = vec![0; self.largest];
        let mut echoed = 0_u64;
        ctx.set_ready(true);
        while !ctx.is_cancelled() {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, sender)) => {
                    self.socket.send_to(&buffer[..length], sender)?;
                    echoed += 1;
                    ctx.set_status(format!("{echoed} datagrams echoed"));
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        println!("echo: stopped after {echoed} datagrams");
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
        let reply = tokio::task::spawn_blocking(move || request(port)).await??;
        println!("client: received {reply:?}");
        sleep(Duration::from_millis(10)).await;
        Ok(()) // the end of a critical task stops the group
    }))?;
    println!("\n{}", manager.wait().await?);
    Ok(())
}

fn request(port: u16) -> io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send_to(b"hello", ("127.0.0.1", port))?;
    let mut buffer = [0; 64];
    let length = socket.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}
