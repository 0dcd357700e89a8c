//! Services whose exit code depends on the error.

use std::{error::Error, fmt, io, process::ExitCode, thread};

use anyhow::Context as _;
use task_manager::{BuildError, Report, any_error, task_fn};
use task_service::{ExitCodes, Service};

use super::MANY_SECONDS;

/// An error with a number and a cause, of a type of its own for each type of cause.
#[derive(Debug)]
struct Of<T>(u8, Option<T>);

type BadConfig = Of<io::Error>;
type Unavailable = Of<fmt::Error>;

impl<T> fmt::Display for Of<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}", self.0)
    }
}

impl<T: Error + 'static> Error for Of<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_ref().map(|source| source as _)
    }
}

pub(super) fn run(scenario: &str) -> Option<ExitCode> {
    let service = Service::new()
        .exit_codes(ExitCodes::new().failure(70))
        .exit_code_for(|error: &BadConfig| error.0)
        .exit_code_for(|_: &Unavailable| 69)
        .exit_code_for(|_: &io::Error| 74);
    let config = BadConfig::new(78);
    Some(match scenario {
        "codes: an error of a task under contexts" => {
            fails(service, Err(config).context("reading").context("starting"))
        }
        "codes: a context" => fails(service, Err(anyhow::anyhow!("no file")).context(config)),
        "codes: a cause" => fails(service, Err(Of(1, Some(config))).context("reading")),
        "codes: a type by `any_error`" => fails(service, Err(any_error(config))),
        "codes: a box by `any_error`" => {
            let boxed = Box::<dyn Error + Send + Sync>::from(config);
            fails(service, Err(any_error(boxed)).context("reading"))
        }
        "codes: the first type that was set" => {
            fails(service, Err(Unavailable::new(1)).context(io::Error::other("no disk")))
        }
        "codes: another type" => fails(service, Err(fmt::Error.into())),
        "codes: the setup" => service.run(async |_| Err(config.into())),
        "codes: a panic beside it" => service.run(async |manager| {
            // In the order of the ends.
            let last = manager.run(task_fn("first", async |_| panic!("no memory")))?;
            last.ended().await;
            Err(config.into())
        }),
        "codes: a clean end" => service.without_signals().run(async |_| Ok(())),
        "codes: the start" => service
            .exit_code_for(|_: &task_signal::SignalError| 71)
            .signals(|signals| signals.dump_on(task_signal::Signal::TERM))
            .run(async |_| Ok(())),
        "codes: the report's cause" => {
            let by_cause =
                |report: &Report| (report.cause().to_string() == "task `bad` failed").then_some(75);
            fails(service.exit_code_by_report(by_cause), Err(config.into()))
        }
        "codes: a report without one" => {
            fails(service.exit_code_by_report(|_| None), Err(config.into()))
        }
        "codes: a clean report" => {
            let is_clean = |report: &Report| report.is_clean().then_some(10);
            service.exit_code_by_report(is_clean).without_signals().run(async |_| Ok(()))
        }
        "codes: a report that panics" => {
            let panics = |_: &Report| -> Option<u8> { panic!("no code") };
            fails(service.exit_code_by_report(panics), Err(fmt::Error.into()))
        }
        "codes: a report that blocks" => {
            let blocks = |_: &Report| {
                thread::sleep(MANY_SECONDS);
                Some(1)
            };
            fails(service.exit_code_by_report(blocks), Err(fmt::Error.into()))
        }
        "codes: contradicting settings" => service
            .exit_code_for(|_: &BuildError| 78)
            .manager(|manager| manager.drain_delay(2 * MANY_SECONDS))
            .run(async |_| Ok(())),
        "codes: one that panics" => {
            let panics = |_: &fmt::Error| -> u8 { panic!("no code") };
            fails(service.exit_code_for(panics), Err(fmt::Error.into()))
        }
        "codes: one that blocks" => {
            let blocks = |_: &fmt::Error| {
                thread::sleep(MANY_SECONDS);
                1
            };
            fails(service.exit_code_for(blocks), Err(fmt::Error.into()))
        }
        _ => return None,
    })
}

impl<T> Of<T> {
    fn new(number: u8) -> Self {
        Self(number, None)
    }
}

fn fails(service: Service, result: anyhow::Result<()>) -> ExitCode {
    service.run(async |manager| {
        manager.run(task_fn("bad", async move |_| result))?;
        Ok(())
    })
}
