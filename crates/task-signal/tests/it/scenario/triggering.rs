//! x
use super::Scenario;
pub(crate) const SCENARIOS: &[Scenario] = &[];
