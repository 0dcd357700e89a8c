//! The test kit against planted bugs and their correct twins, and against the manager.

mod chaotic;
mod everywhere;
mod group;
mod hangs;
mod planted;
mod report;
mod run;
mod service;
