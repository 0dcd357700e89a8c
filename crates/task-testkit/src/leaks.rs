//! Values that must be gone at the end of a test.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Weak},
};

/// Watches shared values, and asserts that nothing holds them any more.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use task_core::{Context, task_fn};
/// use task_testkit::{Leaks, TestRun, paused};
///
/// paused(async {
///     let database = Arc::new("a connection");
///     let mut leaks = Leaks::new();
///     leaks.watch("database", &database);
///     let run = TestRun::start(task_fn("purge", async move |ctx: Context| {
///         let _uses = database;
///         ctx.cancelled().await;
///         Ok(())
///     }));
///     run.cancel();
///     run.ended().await.assert_clean();
///     leaks.assert_none();
/// });
/// ```
#[derive(Default)]
pub struct Leaks(Vec<(String, Weak<dyn Any + Send + Sync>)>);

impl Leaks {
    /// Creates an empty watch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches a value, without holding it.
    pub fn watch<T: Any + Send + Sync>(&mut self, name: impl Into<String>, value: &Arc<T>) {
        let weak = Arc::downgrade(value);
        self.0.push((name.into(), weak));
    }

    /// Asserts that all values are gone.
    ///
    /// # Panics
    ///
    /// If one is not; the message has the names, and how many hold each.
    #[track_caller]
    pub fn assert_none(&self) {
        let held = self.0.iter().filter(|(_, value)| value.strong_count() > 0);
        let held: Vec<_> = held
            .map(|(name, value)| format!("`{name}` is held by {}", value.strong_count()))
            .collect();
        assert!(held.is_empty(), "leaked: {}", held.join(", "));
    }
}

impl fmt::Debug for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0.iter().map(|(name, value)| (name, value.strong_count()));
        f.debug_map().entries(counts).finish()
    }
}
