//! The conversion of errors that `?` does not convert.

use std::{any::Any, error::Error};

use crate::Cancelled;

/// Converts an error of any usual type to the one that a task returns: a type of the service, a
/// `Box<dyn Error + Send + Sync>`, a report of another library (such as `eyre::Report`), a text.
///
/// An error type that implements [`Error`] needs no more than `?` in the closure: `Ok(run(ctx)
/// .await?)`. The others do not implement it, and `?` fails there with "the size for values of type
/// `dyn Error` cannot be known". For them, and for all others as well, there is
/// `.map_err(any_error)`.
///
/// [`Cancelled`] stays what it is, and so a clean end: by itself, in a box, and in an
/// `anyhow::Error`, which is returned as it is. A report of another library, or an error type with
/// a variant for it, hides it. A function with such an error ends itself:
///
/// ```
/// # use task_core::Context;
/// # type MyError = std::io::Error;
/// # async fn receive() -> u32 { 1 }
/// async fn consume(ctx: Context) -> Result<(), MyError> {
///     while let Ok(message) = ctx.or_cancelled(receive()).await {
///         println!("{message}");
///     }
///     Ok(())
/// }
/// ```
///
/// # Examples
///
/// ```
/// use std::error::Error;
/// use task_core::{Context, any_error, blocking_task, task_fn};
///
/// async fn consume(ctx: Context) -> Result<(), std::io::Error> {
/// #   ctx.cancelled().await;
///     Ok(())
/// }
/// async fn export(ctx: Context) -> Result<(), Box<dyn Error + Send + Sync>> {
/// #   ctx.cancelled().await;
///     Ok(())
/// }
/// fn purge(ctx: Context) -> Result<(), String> {
/// #   ctx.wait_cancelled(std::time::Duration::from_secs(1));
///     Ok(())
/// }
///
/// let consumer = task_fn("consumer", async |ctx| Ok(consume(ctx).await?));
/// let exporter = task_fn("exporter", async |ctx| export(ctx).await.map_err(any_error));
/// let purge = blocking_task("purge", |ctx| purge(ctx).map_err(any_error));
/// ```
pub fn any_error<E>(error: E) -> anyhow::Error
where
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    let mut error = Some(error);
    // Not by way of a box, which would hide its type.
    if let Some(same) = (&mut error as &mut dyn Any).downcast_mut::<Option<anyhow::Error>>()
        && let Some(same) = same.take()
    {
        return same;
    }
    let Some(error) = error else { unreachable!("it is taken only as an `anyhow::Error`") };
    match error.into().downcast::<Cancelled>() {
        Ok(cancelled) => (*cancelled).into(),
        Err(other) => anyhow::Error::from_boxed(other),
    }
}
