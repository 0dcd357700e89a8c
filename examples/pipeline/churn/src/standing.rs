//! Apache Kafka for other programs: started once, and ended on demand.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::{
    arguments::nodes,
    broker::{Apache, end_below},
};

/// The name of the command, as the first argument of this program.
pub(crate) const NAME: &str = "kafka";

/// Apache Kafka on ports of 127.0.0.1, from the jars of Maven, which are installed once below
/// target/churn. Needs Java 17 and Maven, which root gets from Debian's packages.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask kafka", bin_name = "cargo xtask kafka")]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Starts it, in place of what an earlier `up` has left, and prints the addresses for clients;
    /// topics are created on first use
    Up {
        /// The nodes, each broker and controller at once
        #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = nodes)]
        nodes: u8,
    },
    /// Ends what `up` has started, and deletes its data
    Down,
}

/// Runs the command, whose nodes are below `folder`. The first argument, its name, is skipped.
///
/// # Errors
///
/// Kafka cannot be installed, started or ended. Invalid arguments exit with code 2.
pub(crate) fn run(folder: &Path, arguments: impl Iterator<Item = String>) -> Result<()> {
    let nodes_below = folder.join(NAME);
    match Arguments::parse_from(arguments).action {
        Action::Up { nodes } => {
            let address =
                Apache::stand(nodes, &folder.join("tools"), &nodes_below).with_context(|| {
                    format!("Kafka did not start; logs in {}", nodes_below.display())
                })?;
            println!("{address}");
        }
        Action::Down => {
            println!("{} nodes ended", end_below(&nodes_below)?);
            if nodes_below.exists() {
                std::fs::remove_dir_all(&nodes_below)?;
            }
        }
    }
    Ok(())
}
