//! The limits that this project sets for `task-manager`, beside the measurements. Nothing is
//! asserted: machines differ.

use crate::{
    contestant::Contestant,
    median::median,
    scenario::{Flavor, Scenario},
    series::{Figures, Series},
    table::Table,
};

/// The highest cost of `task-manager`, as a multiple of the reference's.
fn limit(scenario: Scenario, count: usize) -> f64 {
    match scenario {
        Scenario::Parked | Scenario::Second if count <= 100 => 1.3,
        Scenario::Parked | Scenario::Second | Scenario::Panic => 1.0,
        Scenario::Ephemeral | Scenario::Failure => 1.2,
    }
}

/// The highest memory of a parked task, as a multiple of the floor's.
const MEMORY_LIMIT: f64 = 1.3;

/// Adds the rows of one scenario.
pub(crate) fn judge(table: &mut Table, scenario: Scenario, flavor: Flavor, series: &[Series]) {
    for series in series.iter().filter(|series| series.has(Contestant::Manager)) {
        let count = series.count;
        let name = format!("{}, N = {count}, {}", scenario.word(), flavor.word());
        let ratio = |of: fn(&Figures) -> f64| {
            format!("{:.2}", median(series.ratios(Contestant::Manager, of)))
        };
        let cells = vec![
            ratio(|figures| figures.wall),
            ratio(|figures| figures.cpu),
            format!("{:.1} × JoinSet", limit(scenario, count)),
        ];
        table.row(&name, cells);
        if scenario == Scenario::Parked && count >= 1_000_000 {
            let of = |contestant| series.per_task(contestant, |figures| figures.memory);
            let ratio = of(Contestant::Manager) / of(Contestant::Floor);
            let limit = format!("{MEMORY_LIMIT:.1} × floor");
            table.row(&format!("{name}: memory"), vec![format!("{ratio:.2}"), "-".into(), limit]);
        }
    }
}
