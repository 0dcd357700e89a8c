//! What a service calls: the manager, its builder, and its handles.

pub(crate) mod manager;

pub(crate) mod builder;
pub(crate) mod handle;
pub(crate) mod nested;
pub(crate) mod task_handle;
