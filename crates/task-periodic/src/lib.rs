//! task-periodic
