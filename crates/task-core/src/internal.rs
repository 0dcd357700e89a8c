//! What managers and test kits are built of, and tasks never see.
//!
//! The two types are public only because the two ends of a context live in different crates: a manager raises a
//! [`StageCell`](crate::StageCell), and whoever implements [`GroupView`](crate::GroupView) keeps a [`Level`] and bumps it
//! at each change. A waiting primitive is not what this crate is for, so they stand apart, and may change in a minor
//! release where the rest of the crate does not. With them is what every crate does with a panic that it catches.

pub use crate::{
    level::{Level, Wakers},
    payload::{discard, panic_text},
};
