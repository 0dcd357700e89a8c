//! One group: what its one lock protects, and what happens to it.
//!
//! Invariants are numbered in ARCHITECTURE.md. Read [`shared`], [`state`] and [`turn`] first. An
//! end of a task is judged in [`managed`] and recorded in [`events`] and [`state::State::settle`];
//! what the state machine asks for is in [`drive`].

mod shared;
mod state;
mod turn;

// What happens to the state.
mod admit;
mod closing;
mod drive;
mod events;
mod stops;

// What looks at it, or waits for it.
mod view;
mod wait;

// Its tasks.
mod activity;
mod children;
mod cleanup;
mod current;
mod entry;
mod managed;
mod member;
mod span;

// What is remembered and reported.
mod gates;
mod journal;
mod lines;
mod log;
mod names;
mod record;
mod tally;

// What connects it: a runtime, the timer, the deadline thread, a parent, other groups.
mod bind;
mod fuses;
mod nesting;
mod order;
mod overdue;
#[cfg(feature = "token")]
mod parent;
mod pulses;
mod settings;
mod timer;

pub(crate) use self::{
    activity::ActivityCell,
    cleanup::Hook,
    closing::{Closing, Flush},
    entry::Entry,
    gates::Gates,
    journal::{Journal, ready_text},
    lines::Lines,
    log::Event,
    managed::{Managed, UserFuture},
    member::{Identity, Member, Role},
    names::Names,
    nesting::{Nesting, OuterLink, add_living_names},
    order::in_order,
    overdue::{EXIT_THREADS, HARD_EXIT_DELAY},
    record::{MAX_ENTRIES, Record},
    settings::{SHORTEST_STOP, Settings},
    shared::Shared,
    span::{in_cleanup_span, in_span},
    state::{Garbage, State},
    tally::Tally,
    turn::Turn,
    view::group_view,
    wait::NESTINGS,
};
