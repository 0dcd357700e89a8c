//! The servers under test, each a process of this program.

mod ours;
mod plain;

mod app;

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Result, anyhow};
use clap::{Args, ValueEnum};

/// What serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// `ServeTask`, with probes by `HttpTask`
    Serve,
    /// `axum::serve` with its graceful shutdown
    Axum,
    /// An accept loop around hyper-util's `GracefulShutdown`
    Hyper,
    /// tonic's server, with HTTP/1.1 allowed
    Tonic,
    /// The example `shop`: `ServeTask` with a database
    Shop,
}

/// The settings of one server.
#[derive(Clone, Debug, Args)]
pub(crate) struct Settings {
    #[arg(long, value_enum)]
    pub(crate) kind: Kind,

    #[arg(long)]
    pub(crate) address: SocketAddr,

    /// The address of the probes, if it is not that of the service
    #[arg(long)]
    pub(crate) probes: SocketAddr,

    /// The drain, in milliseconds. A plain server is not ready and sleeps for that time before it
    /// begins its graceful shutdown
    #[arg(long, default_value_t = 0)]
    pub(crate) drain: u64,

    /// The file to which the id of every order is appended when it is done
    #[arg(long)]
    pub(crate) record: PathBuf,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Axum => "axum",
            Self::Hyper => "hyper",
            Self::Tonic => "tonic",
            Self::Shop => "shop",
        }
    }

    /// Whether it is of this workspace, and makes promises.
    pub(crate) fn is_ours(self) -> bool {
        match self {
            Self::Serve | Self::Shop => true,
            Self::Axum | Self::Hyper | Self::Tonic => false,
        }
    }

    /// Whether `/readyz` is at an address of its own.
    pub(crate) fn has_probes_apart(self) -> bool {
        self.is_ours()
    }
}

impl Settings {
    fn drain(&self) -> Duration {
        Duration::from_millis(self.drain)
    }
}

/// Serves until SIGTERM.
pub(crate) fn run(settings: &Settings) -> ExitCode {
    let ran = match settings.kind {
        Kind::Serve => return ours::serve(settings),
        Kind::Axum => plain(plain::axum(settings)),
        Kind::Hyper => plain(plain::hyper(settings)),
        Kind::Tonic => plain(plain::tonic(settings)),
        Kind::Shop => Err(anyhow!("the shop is a program of its own")),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn plain(serving: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serving)
}
