//! The smallest API on `taskkit`, with metrics and probes.

use std::process::ExitCode;

use axum::{Router, routing::get};
use taskkit::{HttpTask, ServeTask};

fn main() -> ExitCode {
    taskkit::main(async |manager| {
        let app = Router::new().route("/", get(async || "hello"));
        manager.run(ServeTask::bind("127.0.0.1:8080")?.service(app))?;
        manager.run(HttpTask::builder().bind("127.0.0.1:9090")?)?;
        Ok(())
    })
}
