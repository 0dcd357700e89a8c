//! Panics beside the task's own future: on threads and in spawned tasks that keep a hold, and in
//! `enter`.

use std::{panic::AssertUnwindSafe, panic::catch_unwind, thread};

use task_core::{Hold, Panic};

use crate::scope::Recorder;

#[test]
fn a_panic_that_leaves_enter_fails_the_task_even_if_it_is_caught() {
    let (recorder, ctx) = Recorder::context();
    let caught = catch_unwind(AssertUnwindSafe(|| ctx.enter(|| panic!("no disk"))));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"no disk"));
    assert_eq!(recorder.calls(), ["enter", "panic no disk"]);
    // One that is caught within is the body's own affair.
    ctx.enter(|| catch_unwind(|| panic!("handled"))).unwrap_err();
    assert_eq!(recorder.calls(), ["enter"]);
}

fn panic_with(holds: impl IntoIterator<Item = Hold>) {
    let _holds: Vec<Hold> = holds.into_iter().collect();
    panic!("no disk");
}

#[test]
fn a_hold_dropped_by_a_thread_that_panics_fails_the_task_before_its_release() {
    task_core::scope::install_hook(|| false);
    let (recorder, ctx) = Recorder::context();
    let hold = ctx.hold();
    thread::spawn(|| panic_with([hold])).join().unwrap_err();
    assert_eq!(recorder.calls(), ["hold", "panic no disk", "release"]);
    drop(ctx.hold());
    assert_eq!(recorder.calls(), ["hold", "release"]);
}

#[test]
fn one_panic_fails_each_task_once_and_the_next_panic_fails_it_again() {
    task_core::scope::install_hook(|| false);
    let ((recorder, ctx), (other, other_ctx)) = (Recorder::context(), Recorder::context());
    let holds = || [ctx.hold(), other_ctx.hold(), ctx.hold()];
    for _ in 0..2 {
        let holds = holds();
        recorder.calls();
        // Reported by the holds first, and not by `enter` again.
        catch_unwind(AssertUnwindSafe(|| ctx.enter(|| panic_with(holds)))).unwrap_err();
        assert_eq!(recorder.calls(), ["enter", "panic no disk", "release", "release"]);
        assert_eq!(other.calls(), ["hold", "panic no disk", "release"]);
    }
    // Two panics of one thread, with nothing in between.
    let [first, _, second] = holds();
    recorder.calls();
    catch_unwind(AssertUnwindSafe(|| panic_with([first]))).unwrap_err();
    catch_unwind(AssertUnwindSafe(|| panic_with([second]))).unwrap_err();
    assert_eq!(recorder.calls(), ["panic no disk", "release"].repeat(2));
}

/// Tokio drops the future of a task that panics while the thread still unwinds.
#[tokio::test]
async fn a_spawned_task_that_panics_fails_the_task_whose_hold_it_has_used_or_not() {
    task_core::scope::install_hook(|| false);
    let (recorder, ctx) = Recorder::context();
    let hold = ctx.hold();
    let used = async move {
        let _hold = hold;
        tokio::task::yield_now().await;
        panic!("no disk");
    };
    tokio::spawn(used).await.unwrap_err();
    assert_eq!(recorder.calls(), ["hold", "panic no disk", "release"]);
    let hold = ctx.hold();
    let unused = async move {
        if true {
            panic!("no disk");
        }
        drop(hold);
    };
    tokio::spawn(unused).await.unwrap_err();
    assert_eq!(recorder.calls(), ["hold", "panic no disk", "release"]);
    // An abort is no panic.
    let hold = ctx.hold();
    let aborted = tokio::spawn(async move {
        let _hold = hold;
        std::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
    aborted.abort();
    aborted.await.unwrap_err();
    assert_eq!(recorder.calls(), ["hold", "release"]);
}

#[test]
fn a_hold_that_is_released_while_its_thread_unwinds_is_no_failure() {
    struct Release(Option<Hold>);
    impl Drop for Release {
        fn drop(&mut self) {
            self.0.take().unwrap().release();
        }
    }
    let (recorder, ctx) = Recorder::context();
    let release = Release(Some(ctx.hold()));
    let unwound = Panic::catch(move || {
        let _release = release;
        panic!("no disk")
    });
    assert!(unwound.is_err());
    assert_eq!(recorder.calls(), ["hold", "release"]);
}
