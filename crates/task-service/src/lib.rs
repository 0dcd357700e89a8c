//! task-service
