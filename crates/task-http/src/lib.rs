//! task-http
