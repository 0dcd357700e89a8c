//! task-signal
