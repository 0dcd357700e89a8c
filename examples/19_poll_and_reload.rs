//! Poll and reload: a source is asked at a fixed rate, by a configuration that SIGHUP reads again.
//!
//! - A poll that fails is logged and retried after a back-off. It stops nothing.
//! - A configuration that cannot be read at SIGHUP is logged, and the one in use stays.
//! - The service is ready once the first poll has succeeded.
//!
//! The task `operator` stands in for the operator, who edits the file and sends the signals.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    unix::main()
}

#[cfg(not(unix))]
fn main() {
    println!("this example needs Unix signals");
}

#[cfg(unix)]
mod unix {
    use std::{
        env::temp_dir,
        path::{Path, PathBuf},
        process::{ExitCode, id},
        time::Duration,
    };

    use anyhow::Context as _;
    use signal_hook::{
        consts::{SIGHUP, SIGTERM},
        low_level::raise,
    };
    use taskkit::{Context, PollTask, SignalTrigger, task_fn};
    use tokio::{
        fs,
        sync::watch,
        time::{sleep, timeout},
    };

    pub(super) fn main() -> ExitCode {
        // A failure that a task survives is an event in the log.
        tracing_subscriber::fmt().with_target(false).init();
        taskkit::main(async |manager| {
            let path = temp_dir().join(format!("poll-and-reload-{}", id()));
            fs::write(&path, "source = prices").await?;
            let (config, in_use) = watch::channel(Config::read(&path).await?);

            let reloaded = path.clone();
            manager.run(SignalTrigger::new("configuration", move |_ctx| {
                let (path, config) = (reloaded.clone(), config.clone());
                async move {
                    config.send_replace(Config::read(&path).await?);
                    Ok(())
                }
            })?)?;
            manager.run(PollTask::new("poll", Duration::from_millis(50), async move |_ctx| {
                let config = in_use.borrow().clone();
                config.poll().await
            })?)?;
            manager.run(task_fn("operator", |ctx| operate(ctx, path)))?;
            Ok(())
        })
    }

    #[derive(Clone)]
    struct Config {
        source: String,
    }

    impl Config {
        async fn read(path: &Path) -> anyhow::Result<Self> {
            let text = fs::read_to_string(path).await?;
            let (_, source) = text.split_once("source = ").context("no `source`")?;
            println!("configuration read: {source}");
            Ok(Self { source: source.to_owned() })
        }

        async fn poll(&self) -> anyhow::Result<()> {
            sleep(Duration::from_millis(5)).await; // asks the source
            println!("polled {}", self.source);
            Ok(())
        }
    }

    async fn operate(ctx: Context, path: PathBuf) -> anyhow::Result<()> {
        for text in ["source = weather", "sourec = a typo"] {
            ctx.or_cancelled(sleep(Duration::from_millis(200))).await?;
            fs::write(&path, text).await?;
            raise(SIGHUP)?;
        }
        ctx.or_cancelled(sleep(Duration::from_millis(200))).await?;
        raise(SIGTERM)?;
        timeout(Duration::from_secs(10), ctx.cancelled()).await?;
        fs::remove_file(&path).await?;
        Ok(())
    }
}
