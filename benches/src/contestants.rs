//! Each scenario with each contestant, written as the documentation of that contestant recommends.

mod async_shutdown;
mod floor;
mod graceful_shutdown;
mod join_set;
mod manager;
mod task_supervisor;
mod taskvisor;
mod tracker;

use anyhow::{Result, bail};

use crate::{contestant::Contestant, laps::Laps, scenario::Scenario};

/// Runs one scenario.
///
/// # Errors
///
/// The contestant failed, or does not take part in this scenario.
pub(crate) async fn run(
    contestant: Contestant,
    scenario: Scenario,
    count: usize,
    laps: &mut Laps,
) -> Result<()> {
    match (contestant, scenario) {
        (Contestant::JoinSet, Scenario::Parked) => join_set::parked(count, laps).await,
        (Contestant::JoinSet, Scenario::Ephemeral) => join_set::ephemeral(count, laps).await,
        (Contestant::JoinSet, Scenario::Failure) => join_set::failure(count, laps).await,
        (Contestant::JoinSet, Scenario::Panic) => join_set::panic(count, laps).await,
        (Contestant::Manager, Scenario::Parked) => manager::parked(count, laps).await,
        (Contestant::Manager, Scenario::Ephemeral) => manager::ephemeral(count, laps).await,
        (Contestant::Manager, Scenario::Failure) => manager::failure(count, laps).await,
        (Contestant::Manager, Scenario::Panic) => manager::panic(count, laps).await,
        (Contestant::Floor, Scenario::Parked) => floor::parked(count, laps).await,
        (Contestant::Floor, Scenario::Ephemeral) => floor::ephemeral(count, laps).await,
        (Contestant::Tracker, Scenario::Parked) => tracker::parked(count, laps).await,
        (Contestant::Tracker, Scenario::Ephemeral) => tracker::ephemeral(count, laps).await,
        (Contestant::AsyncShutdown, Scenario::Parked) => async_shutdown::parked(count, laps).await,
        (Contestant::TaskSupervisor, Scenario::Parked) => {
            task_supervisor::parked(count, laps).await
        }
        (Contestant::GracefulShutdown, Scenario::Parked) => {
            graceful_shutdown::parked(count, laps).await
        }
        (Contestant::Taskvisor, Scenario::Parked) => taskvisor::parked(count, laps).await,
        _ => bail!("{} does not take part in {}", contestant.title(), scenario.word()),
    }
}

/// The end of each task of the panic scenario.
fn panics() -> Result<()> {
    panic!("on purpose")
}
