//! What becomes of signals that the process was started ignoring.

/// What happens to signals that this process was started with ignoring: under `nohup`, or in the background of a
/// script (`service &` has `SIGINT` and `SIGQUIT` ignored).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IgnoredSignals {
    /// They stay ignored: whoever started the process wanted that.
    #[default]
    Keep,
    /// They are captured like any other. Afterwards they are ignored again.
    Capture,
}
