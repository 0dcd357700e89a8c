//! The contract of children, seen from the task, its manager and the children themselves.
#![allow(clippy::unwrap_used)]

mod rig;

mod scope;
