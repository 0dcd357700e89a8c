//! Errors of the user's own in the functions of tasks.

use std::{borrow::Cow, error::Error, fmt, io, sync::Arc, time::Duration};

use anyhow::Context as _;
use task_core::{
    Cancelled, Context, Task, any_error, blocking_task,
    scope::{Stage, StageCell},
    task_fn,
};

#[derive(Debug, thiserror::Error)]
#[error("shelf {shelf} is empty")]
struct MyError {
    shelf: u32,
    #[source]
    source: io::Error,
}

fn mine() -> MyError {
    MyError { shelf: 7, source: io::Error::other("sold out") }
}

/// Like the reports of other libraries: no `Error`, but convertible to a boxed one.
#[derive(Debug)]
struct OtherReport(MyError);

impl From<OtherReport> for Box<dyn Error + Send + Sync> {
    fn from(report: OtherReport) -> Self {
        report.0.into()
    }
}

impl AsRef<dyn Error + Send + Sync> for OtherReport {
    fn as_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &self.0
    }
}

type Boxed = Box<dyn Error + Send + Sync>;

fn assert_chain(error: &anyhow::Error, texts: &[&str]) {
    assert_eq!(error.chain().map(ToString::to_string).collect::<Vec<_>>(), texts);
}

#[test]
fn an_error_of_any_type_keeps_its_text_and_its_causes() {
    let chain = ["shelf 7 is empty", "sold out"];
    assert_chain(&any_error(mine()), &chain);
    assert_chain(&any_error(Boxed::from(mine())), &chain);
    assert_chain(&any_error(OtherReport(mine())), &chain);
    assert_chain(&any_error("shelf 7 is empty"), &chain[..1]);
    assert_chain(&any_error(String::from("shelf 7 is empty")), &chain[..1]);
}

#[test]
fn an_anyhow_error_stays_the_same() {
    let error = any_error(Err::<(), _>(mine()).context("counting").unwrap_err());
    assert_chain(&error, &["counting", "shelf 7 is empty", "sold out"]);
    assert_eq!(error.downcast_ref::<MyError>().map(|error| error.shelf), Some(7));
}

#[test]
fn an_error_of_a_concrete_type_keeps_it_and_a_text_too() {
    let error = any_error(mine());
    assert_eq!(error.downcast_ref::<MyError>().map(|error| error.shelf), Some(7));
    assert!(error.chain().next().unwrap().is::<MyError>());
    assert!(error.chain().nth(1).unwrap().is::<io::Error>());
    assert_eq!(any_error("no shelf").downcast_ref::<&str>(), Some(&"no shelf"));
    let error = any_error(String::from("no shelf"));
    assert_eq!(error.downcast_ref::<String>().map(String::as_str), Some("no shelf"));
    let error = any_error(Cow::from("no shelf"));
    assert_eq!(error.downcast_ref(), Some(&Cow::from("no shelf")));
}

#[test]
fn a_boxed_error_keeps_its_box() {
    for error in [any_error(Boxed::from(mine())), any_error(OtherReport(mine()))] {
        let boxed = error.downcast_ref::<Boxed>().unwrap();
        assert_eq!(boxed.downcast_ref::<MyError>().map(|error| error.shelf), Some(7));
    }
}

#[test]
fn cancelled_stays_a_clean_end() {
    assert!(Cancelled::is_outermost_in(&any_error(Cancelled)));
    assert!(Cancelled::is_outermost_in(&any_error(Boxed::from(Cancelled))));
    let reading = anyhow::Error::new(Cancelled).context("reading");
    assert!(Cancelled::is_outermost_in(&any_error(reading)));
    assert!(!Cancelled::is_outermost_in(&any_error(Boxed::from("cancelled"))));
}

/// Every form in which newcomers write a task's function. That they compile is most of the test.
#[tokio::test]
async fn functions_with_other_errors_are_tasks_by_one_line() {
    async fn own(_: Context) -> Result<(), MyError> {
        Err(mine())
    }
    async fn boxed(_: Context) -> Result<(), Boxed> {
        Err(mine().into())
    }
    async fn report(_: Context) -> Result<(), OtherReport> {
        Err(OtherReport(mine()))
    }
    fn blocking(_: Context) -> Result<(), fmt::Error> {
        Err(fmt::Error)
    }
    async fn end(task: impl Task) -> String {
        let running = tokio::spawn(task.run(Context::new(Arc::new(StageCell::new()))));
        format!("{:#}", running.await.unwrap().unwrap_err())
    }
    let text = "shelf 7 is empty: sold out";
    assert_eq!(end(task_fn("own", async |ctx| Ok(own(ctx).await?))).await, text);
    assert_eq!(end(task_fn("own", async |ctx| own(ctx).await.map_err(any_error))).await, text);
    assert_eq!(end(task_fn("boxed", async |ctx| boxed(ctx).await.map_err(any_error))).await, text);
    assert_eq!(
        end(task_fn("report", async |ctx| report(ctx).await.map_err(any_error))).await,
        text
    );
    let question_mark = task_fn("inside", async |ctx: Context| {
        boxed(ctx.clone()).await.map_err(any_error)?;
        own(ctx).await?;
        Ok(())
    });
    assert_eq!(end(question_mark).await, text);
    let text = fmt::Error.to_string();
    assert_eq!(end(blocking_task("blocking", |ctx| Ok(blocking(ctx)?))).await, text);
    assert_eq!(end(blocking_task("blocking", |ctx| blocking(ctx).map_err(any_error))).await, text);
}

#[tokio::test]
async fn a_stop_ends_a_function_with_boxed_errors_cleanly() {
    async fn consume(ctx: Context) -> Result<(), Boxed> {
        loop {
            ctx.or_cancelled(tokio::time::sleep(Duration::from_secs(3600))).await?;
        }
    }
    let stage = Arc::new(StageCell::new());
    let task = task_fn("consumer", async |ctx| consume(ctx).await.map_err(any_error));
    let running = tokio::spawn(task.run(Context::new(stage.clone())));
    stage.advance(Stage::Cancelled);
    assert!(Cancelled::is_outermost_in(&running.await.unwrap().unwrap_err()));
}
