//! The flagship service.

pub mod clock;
pub mod config;
pub mod database;
pub mod embedded;
pub mod enricher;
pub mod generator;
pub mod kafka;
pub mod logging;
pub mod order;
pub mod rows;
pub mod totals;
