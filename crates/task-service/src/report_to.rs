//! Where a service writes its report.

/// Where a service writes its report.
///
/// The service waits for the output for at most 1 s: a pipe that is full, or a log sink that
/// blocks, does not keep the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportTo {
    /// As text to stderr, whatever the log is.
    #[default]
    Stderr,
    /// As one event of the log, an error unless the report is clean: target `task`, with the fields
    /// of the [crate's documentation](crate#log) and the whole text in `report`.
    Log,
    /// Nowhere. The log still has an event for every failure.
    Nowhere,
}
