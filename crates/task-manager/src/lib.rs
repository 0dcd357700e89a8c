//! task-manager
