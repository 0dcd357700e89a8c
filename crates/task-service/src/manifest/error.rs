//! Why there is no manifest.

use std::{error::Error, fmt};

use crate::platform::PlatformError;

/// Why there is no [`Manifest`](super::Manifest) of these settings, or why one of another hand could
/// not be checked.
///
/// `Display` names the setting, or the line. Where the service does not fit its platform, the
/// source is the [`PlatformError`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError(Problem);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The service would not start.
    Platform(PlatformError),
    /// A value that Kubernetes would not take.
    Setting { what: &'static str, value: String, fault: &'static str },
    /// A text to be checked is no YAML.
    NoYaml { line: usize, why: String },
    /// A text to be checked has no object.
    Empty,
}

impl ManifestError {
    /// Returns whether the times of the service do not fit its platform.
    pub fn is_platform(&self) -> bool {
        matches!(self.0, Problem::Platform(_))
    }

    /// Returns whether a text that was to be [checked](super::Manifest::check) is not YAML, has a
    /// key twice, has no object, or is too large.
    pub fn is_no_yaml(&self) -> bool {
        matches!(self.0, Problem::NoYaml { .. } | Problem::Empty)
    }
}

impl From<Problem> for ManifestError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<PlatformError> for ManifestError {
    fn from(error: PlatformError) -> Self {
        Self(Problem::Platform(error))
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::Platform(_) => f.write_str("the service does not fit its platform"),
            Problem::Setting { what, value, fault } => write!(f, "{what} `{value}` {fault}"),
            Problem::NoYaml { line, why } => write!(f, "line {line} is no YAML: {why}"),
            Problem::Empty => f.write_str("there is no object"),
        }
    }
}

impl Error for ManifestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Problem::Platform(error) => Some(error),
            Problem::Setting { .. } | Problem::NoYaml { .. } | Problem::Empty => None,
        }
    }
}
