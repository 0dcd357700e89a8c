//! One group: what its one lock protects, and what happens to it.

pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod state;
pub(crate) mod turn;

pub(crate) mod admit;
pub(crate) mod drive;
pub(crate) mod events;
pub(crate) mod stops;
pub(crate) mod view;
pub(crate) mod wait;

pub(crate) mod cleanup;
pub(crate) mod current;
pub(crate) mod entry;
pub(crate) mod log;
pub(crate) mod managed;
pub(crate) mod span;

pub(crate) mod gates;
pub(crate) mod names;
pub(crate) mod nesting;
pub(crate) mod record;
pub(crate) mod tally;
pub(crate) mod troubles;
