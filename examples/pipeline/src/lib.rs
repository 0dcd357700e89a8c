//! The flagship service: a Kafka pipeline with a database, metrics and probes, under one manager.
//!
//! Start reading at [`service::start`], the setup. The rooms below it: the tasks and what they run,
//! the configuration and the embedded broker, and the data.

pub mod logging;
pub mod service;

pub mod enricher;
pub mod generator;
pub mod limits;
pub mod metrics;
pub mod progress;
pub mod purge;
pub mod rows;

pub mod manifest;
pub mod unit;

pub mod config;
pub mod embedded;
pub mod fault;

pub mod clock;
pub mod database;
pub mod order;
pub mod totals;
