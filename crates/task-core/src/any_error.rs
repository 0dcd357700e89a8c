//! The conversion of errors that `?` does not convert.

use std::{any::Any, borrow::Cow, error::Error};

use crate::Cancelled;

/// Converts an error of any usual type to the one that a task returns: a type of the service, a
/// `Box<dyn Error + Send + Sync>`, a report of another library (such as `eyre::Report`), a text.
///
/// An error type that implements [`Error`] needs no more than `?` in the closure: `Ok(run(ctx)
/// .await?)`. The others do not implement it, and `?` fails there with "the size for values of type
/// `dyn Error` cannot be known". For them, and for all others as well, there is
/// `.map_err(any_error)`. [`IntoAnyError`] lists what it takes.
///
/// # What a downcast finds
///
/// | from | `downcast_ref` of the result finds |
/// |---|---|
/// | a type that implements [`Error`] | that type, as after `?` |
/// | an `anyhow::Error`, which is returned as it is | what it found before |
/// | `String`, `&'static str`, `Cow<'static, str>` | that type |
/// | `Box<dyn Error + Send + Sync>`, a report | the box, and not the type in it |
///
/// What is in a box has a `downcast_ref` of its own, which `ShutdownError::downcast_ref` and
/// `Service::exit_code_for` use:
///
/// ```
/// # use std::{error::Error, io};
/// # use task_core::any_error;
/// type Boxed = Box<dyn Error + Send + Sync>;
///
/// let error = any_error(Boxed::from(io::Error::other("no disk")));
/// assert!(error.downcast_ref::<io::Error>().is_none());
/// assert!(error.downcast_ref::<Boxed>().is_some_and(|boxed| boxed.is::<io::Error>()));
/// ```
///
/// [`Cancelled`] stays what it is, and so a clean end: by itself, in a box, and in an
/// `anyhow::Error`. A report of another library, or an error type with a variant for it, hides it.
/// A function with such an error ends itself:
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
pub fn any_error<E, K>(error: E) -> anyhow::Error
where
    E: IntoAnyError<K>,
    K: Kind,
{
    error.into_any_error()
}

/// What [`any_error`] converts: each type that implements [`Error`]; `anyhow::Error`,
/// `Box<dyn Error + Send + Sync>` and the reports of other libraries, which convert to such a box
/// and are seen as what is in it by `AsRef`; `String`, `&'static str` and `Cow<'static, str>`.
///
/// A type that converts to a box and has no such `AsRef` is boxed first: `any_error(Box::<dyn Error
/// + Send + Sync>::from(error))`. One that has it and implements [`Error`] as well is two kinds at
/// once, which the compiler refuses: `?` converts it.
///
/// The parameter is the kind of the type, which the compiler finds. It keeps the implementations
/// apart, and other crates from adding some.
#[diagnostic::on_unimplemented(
    message = "`any_error` does not convert `{Self}`",
    label = "no error, no report and no text",
    note = "if it converts to a box, box it first: `any_error(Box::<dyn Error + Send + Sync>::from(error))`"
)]
pub trait IntoAnyError<K: Kind> {
    /// Converts the error.
    #[doc(hidden)]
    fn into_any_error(self) -> anyhow::Error;
}

impl<E> IntoAnyError<Typed> for E
where
    E: Error + Send + Sync + 'static,
{
    fn into_any_error(self) -> anyhow::Error {
        // Not by way of a box, which would hide its type.
        anyhow::Error::new(self)
    }
}

impl<E> IntoAnyError<Report> for E
where
    E: AsRef<dyn Error + Send + Sync> + Into<Box<dyn Error + Send + Sync>> + 'static,
{
    fn into_any_error(self) -> anyhow::Error {
        let mut report = Some(self);
        if let Some(same) = (&mut report as &mut dyn Any).downcast_mut::<Option<anyhow::Error>>()
            && let Some(same) = same.take()
        {
            return same;
        }
        let Some(report) = report else { unreachable!("it is taken only as an `anyhow::Error`") };
        match report.into().downcast::<Cancelled>() {
            Ok(cancelled) => (*cancelled).into(),
            Err(other) => anyhow::Error::from_boxed(other),
        }
    }
}

impl IntoAnyError<Text> for String {
    fn into_any_error(self) -> anyhow::Error {
        anyhow::Error::msg(self)
    }
}

impl IntoAnyError<Text> for &'static str {
    fn into_any_error(self) -> anyhow::Error {
        anyhow::Error::msg(self)
    }
}

impl IntoAnyError<Text> for Cow<'static, str> {
    fn into_any_error(self) -> anyhow::Error {
        anyhow::Error::msg(self)
    }
}

/// What a type is converted as. No other crate can name a kind.
pub trait Kind {}

/// By itself.
#[derive(Debug)]
pub enum Typed {}

/// By way of a box.
#[derive(Debug)]
pub enum Report {}

/// As a message.
#[derive(Debug)]
pub enum Text {}

impl Kind for Typed {}

impl Kind for Report {}

impl Kind for Text {}
