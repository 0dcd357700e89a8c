//! What signals do once they are captured no longer.

/// What happens to the captured signals when they are captured no longer. Of several tasks that capture the same
/// signal, the last one that lets it go decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AfterEnd {
    /// They get their default action back, which for most of them ends the process.
    #[default]
    DefaultAction,
    /// They do nothing, unless another library handles them. For a program that handles them by other means as
    /// well, or that must not be ended between the report and its exit.
    Nothing,
}
