//! What a loss means.

/// What it means that a term was lost: that its lease could not be renewed in time, or is that of
/// another replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnLoss {
    /// Nothing: it is logged and counted, and this replica tries to lead again. The default.
    #[default]
    Campaign,
    /// The same, and the failure is in the report, which is then not clean.
    Record,
    /// The task fails with [`TermOver`](crate::TermOver), and its group stops.
    Fail,
}
