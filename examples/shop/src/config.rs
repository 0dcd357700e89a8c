//! The settings, by flag or environment variable.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};
use humantime::parse_duration;
use tracing_subscriber::{EnvFilter, filter::ParseError};

/// An HTTP API that takes orders, keeps them in a database and packs them.
///
/// Without arguments it needs no other service: it creates a SQLite file. --database-url selects
/// PostgreSQL.
///
/// SIGTERM or Ctrl-C stops it: it answers what was asked, ends open streams, and then closes the
/// database. The next run packs the orders that are left.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "shop",
    version,
    args_override_self = true,
    after_help = "Durations take a unit: 500ms, 30s, 5m. Every flag can also be given as an \
                  environment variable (SHOP_ and its name); a flag overrides a variable.\n\n\
                  Exit codes: 0 clean, also after SIGTERM; 1 something failed; 2 bad arguments; \
                  3 the setup failed; 4 the shutdown exceeded its budget by a second; 128+n forced \
                  by signal n."
)]
pub struct Config {
    /// What to do instead of running the service.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The address of the API; port 0 selects a free port
    #[arg(long, env = "SHOP_ADDRESS", default_value = "127.0.0.1:8080")]
    pub address: SocketAddr,

    /// The address of metrics and probes
    #[arg(
        long,
        env = "SHOP_PROBE_ADDRESS",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9090"
    )]
    pub probe_address: SocketAddr,

    /// The database: sqlite://PATH?mode=rwc or postgres://USER:PASSWORD@HOST/NAME
    #[arg(
        long,
        env = "SHOP_DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite://shop.db?mode=rwc",
        hide_env_values = true
    )]
    pub database_url: String,

    /// How many orders may wait to be packed; with more, the API answers 503
    #[arg(
        long,
        env = "SHOP_QUEUE",
        value_name = "ORDERS",
        default_value_t = 100,
        value_parser = clap::value_parser!(u16).range(1..),
    )]
    pub queue: u16,

    /// How long it takes to pack an order
    #[arg(
        long,
        env = "SHOP_PACKING_TIME",
        value_name = "DURATION",
        default_value = "20ms",
        value_parser = parse_duration,
    )]
    pub packing_time: Duration,

    /// How long the service still answers after a signal, while it is not ready: longer than
    /// clients pause between two requests, and than a load balancer needs to notice; on Kubernetes
    /// 5s to 15s
    #[arg(
        long,
        env = "SHOP_DRAIN_DELAY",
        value_name = "DURATION",
        default_value = "1s",
        value_parser = parse_duration,
    )]
    pub drain_delay: Duration,

    /// How long the whole shutdown may take
    #[arg(
        long,
        env = "SHOP_SHUTDOWN_BUDGET",
        value_name = "DURATION",
        default_value = "25s",
        value_parser = parse_duration,
    )]
    pub shutdown_budget: Duration,

    /// Filter of the log, as in RUST_LOG: `debug`, or `info,shop=debug`
    #[arg(
        long,
        env = "SHOP_LOG",
        value_name = "FILTER",
        default_value = "info",
        value_parser = filter,
    )]
    pub log: String,
}

/// What to do instead of running the service.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Prints the manifest for Kubernetes, with the numbers of these settings and a drain delay of
    /// at least 5s; the database is for the Secret `shop`, as SHOP_DATABASE_URL
    Manifest {
        /// The image
        #[arg(default_value = "shop:latest")]
        image: String,
        /// The path of the program in the image
        #[arg(default_value = "/shop")]
        program: String,
        /// Check this file instead, or `-` for standard input: one line for each finding, and exit
        /// code 1 if one is an error
        #[arg(long, value_name = "FILE")]
        check: Option<PathBuf>,
    },
}

fn filter(text: &str) -> Result<String, ParseError> {
    text.parse::<EnvFilter>().map(|_| text.to_owned())
}
