//! A group that is restarted as one.

use std::{
    borrow::Cow,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use task_core::{Context, Panic, Task};
use task_manager::Manager;

use crate::{Restarting, restarting};

/// Creates a task that is a group, and is restarted as one: if a task of it fails, all are stopped
/// in the order of their phases, the group's cleanups run, and then `setup` fills a new group. It
/// is what OTP calls `one_for_all`. Requires the feature `group`.
///
/// `setup` is called for each run, the first time here, and runs tasks and registers cleanups as
/// the setup of a service does. Like a [factory](restarting) it must not block. If it fails later,
/// what it has begun is stopped in order, its cleanups run, and the run has failed. Where only one
/// of two tasks depends on the other (`rest_for_one`), put the two into a group of their own.
///
/// The group has the default settings. For others, pass a factory to [`restarting`] that returns
/// [`Manager::into_task`].
///
/// # Errors
///
/// The error of the first `setup`, or of the manager's construction. What was run before the error
/// is stopped.
///
/// # Examples
///
/// ```
/// use task_core::{Context, Task, task_fn};
/// use task_restart::restarting_group;
/// # async fn fetch(_: Context) -> anyhow::Result<()> { Ok(()) }
/// # async fn parse(_: Context) -> anyhow::Result<()> { Ok(()) }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// let ingest = restarting_group("ingest", |group| {
///     group.run(task_fn("fetch", fetch))?;
///     group.run(task_fn("parse", parse))?;
///     Ok(())
/// })?;
/// assert_eq!(ingest.name(), "ingest");
/// # Ok(())
/// # }
/// ```
pub fn restarting_group<S>(
    name: impl Into<Cow<'static, str>>,
    mut setup: S,
) -> anyhow::Result<
    Restarting<impl FnMut() -> anyhow::Result<GroupRun<S>> + Send + 'static, GroupRun<S>>,
>
where
    S: FnMut(&Manager) -> anyhow::Result<()> + Send + 'static,
{
    let name = name.into();
    let build = {
        let name = name.clone();
        move || Manager::builder().name(name.clone()).build()
    };
    let first = build()?;
    setup(&first)?;
    let setup = Arc::new(Mutex::new(setup));
    let mut first = Some(GroupRun { name: name.clone(), group: first, setup: None });
    restarting(move || match first.take() {
        Some(run) => Ok(run),
        None => {
            let (name, setup) = (name.clone(), Some(Arc::clone(&setup)));
            Ok(GroupRun { name, group: build()?, setup })
        }
    })
}

/// One run of a group: the task that [`restarting_group`] runs again.
pub struct GroupRun<S> {
    name: Cow<'static, str>,
    group: Manager,
    /// Called within the run, so that what it began before it failed, or before a stop, is stopped
    /// in order and its cleanups run. `None` for the first run, of which a failed setup is an error
    /// of the start.
    setup: Option<Arc<Mutex<S>>>,
}

impl<S> Task for GroupRun<S>
where
    S: FnMut(&Manager) -> anyhow::Result<()> + Send + 'static,
{
    fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    async fn run(self, ctx: Context) -> anyhow::Result<()> {
        let Self { name: _, group, setup } = self;
        if let Some(setup) = setup {
            let result = Panic::catch(|| {
                // Held by this run alone: no two are alive, and a panic is a failed setup.
                let mut setup = setup.lock().unwrap_or_else(PoisonError::into_inner);
                setup(&group)
            });
            if let Err(error) = result.unwrap_or_else(|panic| Err(panic.into())) {
                group.setup_failed(error);
            }
        }
        group.into_task().run(ctx).await
    }
}

impl<S> fmt::Debug for GroupRun<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupRun").field("group", &self.group).finish_non_exhaustive()
    }
}
