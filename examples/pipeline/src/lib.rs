//! The flagship service: a Kafka pipeline with a database, metrics and probes, under one manager.
//!
//! Start reading at [`service::start`], the setup.

pub mod clock;
pub mod config;
pub mod database;
pub mod embedded;
pub mod enricher;
pub mod generator;
pub mod limits;
pub mod logging;
pub mod metrics;
pub mod order;
pub mod progress;
pub mod purge;
pub mod rows;
pub mod service;
pub mod totals;
