//! The unit for systemd, with the numbers that the service runs by.

use std::time::Duration;

use taskkit::systemd::Unit;

use crate::config::EndingConfig;

/// The default of the service's manager.
const SHUTDOWN_BUDGET: Duration = Duration::from_secs(25);
/// The first join of a consumer group takes seconds, and migrations their time.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(120);
const WATCHDOG: Duration = Duration::from_secs(10);

/// Returns the unit of a service with these settings of its stop.
pub fn unit(program: &str, ending: &EndingConfig) -> Unit {
    let budget = ending.shutdown_budget.unwrap_or(SHUTDOWN_BUDGET);
    let drain = ending.drain_delay.unwrap_or_default();
    Unit::new("pipeline", program)
        .description("Orders from Kafka to Kafka and a database")
        .environment("PIPELINE_SHUTDOWN_BUDGET", format!("{}ms", budget.as_millis()))
        .environment("PIPELINE_DRAIN_DELAY", format!("{}ms", drain.as_millis()))
        .shutdown_timeout(budget)
        .start_timeout(START_TIMEOUT)
        .watchdog(WATCHDOG)
}
