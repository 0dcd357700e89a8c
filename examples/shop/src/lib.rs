//! The second flagship service: an HTTP API with a database, event streams and a worker, under one
//! manager.
//!
//! Start reading at [`service::start`], the setup. The rooms below it: the API and the worker, and
//! what they share.

pub mod service;

pub mod manifest;

pub mod api;
pub mod packer;

pub mod config;
pub mod counts;
pub mod database;
pub mod order;
pub mod shop;
