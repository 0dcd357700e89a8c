//! What is left of the watch once a group has ended: it cannot be seen from outside.
#![allow(clippy::unwrap_used)]

use task_core::Step;
use tokio_util::sync::CancellationToken;

use crate::Manager;

/// Invariant 10.
#[tokio::test]
async fn a_group_that_has_ended_watches_its_parent_token_no_more() {
    for by_token in [false, true] {
        let parent = CancellationToken::new();
        let manager = Manager::builder().parent(parent.clone()).build().unwrap();
        assert!(manager.shared.lock().parent_watch.is_some());
        if by_token {
            parent.cancel(); // which ends a group without tasks, from within the token's wake-up
        } else {
            manager.stop();
        }
        assert_eq!(manager.group().step(), Step::Ended);
        assert!(manager.shared.lock().parent_watch.is_none());
        manager.wait().await.unwrap();
    }
}
