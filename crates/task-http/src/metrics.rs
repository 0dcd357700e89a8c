//! Metrics: the sources, the built-in families, and how they become one answer.

pub(crate) mod encode;
pub(crate) mod families;
pub(crate) mod join;
mod source;

pub use source::{ClosureSource, MetricsSource, openmetrics_source, text_source};
