//! Metrics: the sources, the built-in families, and how they become one response body.
//!
//! A scrape goes through four steps. Each source writes its text ([`MetricsSource`]), which is
//! [converted](convert) if it has the other format; the [`Exposition`](exposition::Exposition)
//! joins the texts and leaves out the families that an earlier source has; and the
//! [`BuiltInFamilies`](families::BuiltInFamilies) are added last, with their own small
//! [`Encoder`](encode::Encoder).

pub(crate) mod convert;
pub(crate) mod encode;
pub(crate) mod exposition;
pub(crate) mod families;
mod source;

pub use source::{ClosureSource, MetricsSource, openmetrics_source, text_source};
pub(crate) use source::{Source, Sources};
