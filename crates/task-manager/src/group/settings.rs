//! What a manager is configured with.

use std::borrow::Cow;
use std::time::Duration;

use crate::Timeout;
use crate::lifecycle::Budgets;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) name: Cow<'static, str>,
    pub(crate) budgets: Budgets,
    pub(crate) only_failures_stop: bool,
    pub(crate) unasked_end_fails: bool,
    pub(crate) start: Option<Duration>,
    pub(crate) hard_exit: Option<u8>,
    pub(crate) locates_panics: bool,
    #[cfg(feature = "token")]
    pub(crate) parent: Option<tokio_util::sync::CancellationToken>,
}

impl Default for Settings {
    fn default() -> Self {
        let budgets = Budgets {
            total: Timeout::After(Duration::from_secs(25)),
            drain: Duration::ZERO,
            cleanup: Duration::from_secs(5),
            escalated_cleanup: Duration::from_secs(1),
        };
        Self {
            name: Cow::Borrowed("manager"),
            budgets,
            only_failures_stop: false,
            unasked_end_fails: false,
            start: None,
            hard_exit: None,
            locates_panics: true,
            #[cfg(feature = "token")]
            parent: None,
        }
    }
}
