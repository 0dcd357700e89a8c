//! task-examples
fn main() {}
