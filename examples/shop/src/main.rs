//! The program: see `--help` and this folder's README.

use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use clap::Parser as _;
use shop::{config::Config, service};
use taskkit::Service;
use tracing_subscriber::fmt;

fn main() -> ExitCode {
    let config = Config::parse();
    fmt()
        .with_env_filter(&config.log)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .with_writer(io::stderr)
        .init();
    Service::new()
        .manager(|manager| {
            manager
                .name("shop")
                .drain_delay(config.drain_delay)
                .shutdown_timeout(config.shutdown_budget)
        })
        .run(async |manager| service::start(manager, &config).await.map(drop))
}
