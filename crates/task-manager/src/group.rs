//! One group: what its one lock protects, and what happens to it.
//!
//! Read [`shared`], [`state`] and [`turn`] first. An end of a task is judged in [`managed`] and
//! recorded in [`events`] and [`state::State::settle`]; what the state machine asks for is in [`drive`].

pub(crate) mod shared;
pub(crate) mod state;
pub(crate) mod turn;

// What happens to the state.
pub(crate) mod admit;
pub(crate) mod drive;
pub(crate) mod events;
pub(crate) mod stops;

// What looks at it, or waits for it.
pub(crate) mod view;
pub(crate) mod wait;

// Its tasks.
pub(crate) mod cleanup;
pub(crate) mod current;
pub(crate) mod entry;
pub(crate) mod managed;
pub(crate) mod member;
pub(crate) mod span;

// What is remembered and reported.
pub(crate) mod gates;
pub(crate) mod log;
pub(crate) mod names;
pub(crate) mod record;
pub(crate) mod tally;

// What connects it: a runtime, the timer, the deadline thread, a parent, other groups.
pub(crate) mod bind;
pub(crate) mod nesting;
pub(crate) mod overdue;
pub(crate) mod parent;
pub(crate) mod settings;
pub(crate) mod timer;
