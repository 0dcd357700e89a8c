//! Children.
mod children;
mod error;
mod handle;

mod group;
mod managed;
mod member;

mod rt;
mod sync;

pub use children::Children;
pub use error::{ChildError, ChildrenError, TrySpawnError};
pub use handle::{Child, ChildHandle};
