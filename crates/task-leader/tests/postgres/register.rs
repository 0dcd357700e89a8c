//! What a register promises, and the fence.

use std::sync::{Arc, Mutex};

use task_core::{Context, Task};
use task_leader::{Record, Register, RowLock, Term, Version, Written, leading};
use task_testkit::TestScope;

use crate::rig::{Database, execute, ms, patient};

fn record(holder: Option<&str>, term: u64, renewals: u64) -> Record {
    Record { holder: holder.map(Into::into), term, renewals, lease: ms(15_000) }
}

#[track_caller]
fn version(written: Written) -> (Version, u64) {
    match written {
        Written::Ok { version, term } => (version, term),
        Written::Changed => panic!("nothing was written"),
    }
}

#[tokio::test]
async fn a_write_is_made_only_if_the_row_has_the_version_and_terms_only_grow() {
    let Some(database) = Database::start().await else { return };
    let (mut one, mut other) = (database.lock("purge"), database.lock("purge"));
    assert_eq!(one.read().await.unwrap(), None);
    let (first, term) = version(one.write(&record(Some("a"), 1, 0), None).await.unwrap());
    assert!(term > 1_600_000_000_000_000, "microseconds since 1970: {term}");
    assert_eq!(other.write(&record(Some("b"), 2, 0), None).await.unwrap(), Written::Changed);
    assert_eq!(other.read().await.unwrap(), Some((record(Some("a"), term, 0), first.clone())));
    let (second, same) =
        version(one.write(&record(Some("a"), term, 1), Some(&first)).await.unwrap());
    assert_eq!(same, term);
    for late in [record(None, term, 1), record(Some("b"), term + 1, 0)] {
        assert_eq!(other.write(&late, Some(&first)).await.unwrap(), Written::Changed);
    }
    let (third, _) = version(one.write(&record(None, term, 2), Some(&second)).await.unwrap());
    assert_eq!(one.read().await.unwrap(), Some((record(None, term, 2), third.clone())));
    let foreign = Some(Version::new("484"));
    assert_eq!(
        one.write(&record(Some("a"), term, 3), foreign.as_ref()).await.unwrap(),
        Written::Changed
    );
    // A server whose clock was set back, by whatever.
    database.execute("update task_lead set term = 4000000000000000000").await;
    let (_, old) = one.read().await.unwrap().unwrap();
    let far = 4_000_000_000_000_000_001;
    let (_, term) = version(other.write(&record(Some("b"), far, 0), Some(&old)).await.unwrap());
    assert_eq!(term, far);
    // A row that was deleted by hand.
    database.execute("delete from task_lead").await;
    let gone = one.write(&record(Some("a"), far + 1, 0), Some(&third)).await.unwrap();
    assert_eq!(gone, Written::Changed);
    let (_, term) = version(one.write(&record(Some("a"), 1, 0), None).await.unwrap());
    assert!(term > 1_600_000_000_000_000);
    // Of many writers of one version one wins.
    let (_, old) = one.read().await.unwrap().unwrap();
    let writers = (0..8).map(|_| {
        let (mut lock, old) = (one.clone(), old.clone());
        tokio::spawn(async move { lock.write(&record(Some("x"), term + 1, 0), Some(&old)).await })
    });
    let mut won = 0;
    for writer in writers.collect::<Vec<_>>() {
        won += usize::from(writer.await.unwrap().unwrap() != Written::Changed);
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn names_tables_and_errors() {
    let Some(database) = Database::start().await else { return };
    // Whatever is in a name stays in it, also where the server reads backslashes in literals.
    for setting in ["on", "off"] {
        let set = "alter database postgres set standard_conforming_strings =";
        database.execute(format!("{set} {setting}")).await;
        for name in ["o'brien", r#"a\'; drop table task_lead; --"#, "\"", "é\n", r"\\"] {
            let mut lock = database.lock(name);
            lock.write(&record(Some(name), 1, 0), None).await.unwrap();
            assert_eq!(lock.read().await.unwrap().unwrap().0.holder.as_deref(), Some(name));
            database.execute("delete from task_lead").await;
        }
    }
    for name in ["", "a\0"] {
        assert!(RowLock::new(database.options(), name).is_err());
    }
    for table in ["", "a.b.c", "a.", "A", "a b", "a\"", &"a".repeat(64)] {
        let error = RowLock::in_table(database.options(), table, "purge").unwrap_err();
        assert!(error.to_string().starts_with("table \""), "{error}");
    }
    // A table that is not there, in a schema of its own; then made by several at once.
    database.execute("create schema ops").await;
    let mut lock = RowLock::in_table(database.options(), "ops.task_lead", "purge").unwrap();
    let error = format!("{:#}", anyhow::Error::from(lock.read().await.unwrap_err()));
    assert!(
        error.contains("cannot use row `purge`") && error.contains("does not exist"),
        "{error}"
    );
    let created = (0..6).map(|_| {
        let lock = lock.clone();
        tokio::spawn(async move { lock.create_table().await })
    });
    for created in created.collect::<Vec<_>>() {
        created.await.unwrap().unwrap();
    }
    assert_eq!(lock.read().await.unwrap(), None);
    // A row that nobody of ours wrote is an error, and not free.
    database.execute("insert into ops.task_lead values ('purge', 'x', -1, 0, 1)").await;
    assert!(lock.read().await.is_err());
    // A role that may not create tables finds the one that is there.
    database
        .execute("create role worker login; grant select, insert, update on task_lead to worker")
        .await;
    let worker = database.options().username("worker");
    RowLock::new(worker.clone(), "purge").unwrap().create_table().await.unwrap();
    let denied = RowLock::in_table(worker, "ops.other", "purge").unwrap().create_table().await;
    let denied = format!("{:#}", anyhow::Error::from(denied.unwrap_err()));
    assert!(denied.contains("permission denied"), "{denied}");
}

/// Runs a task that leads once and returns its term, which is over, with its guard.
async fn guard_of_a_term(lock: RowLock) -> (u64, String) {
    let found = Arc::new(Mutex::new(None));
    let (fence, seen) = (lock.clone(), found.clone());
    let task = leading("purge", lock, move |term: Term, _: Context| {
        *seen.lock().unwrap() = Some((term.number(), fence.guard_sql(term.number())));
        async { Ok(()) }
    });
    let scope = TestScope::new("purge");
    task.times(patient()).run(scope.context()).await.unwrap();
    let found = found.lock().unwrap().take();
    found.unwrap()
}

/// FAILURES 38: what is written late has no effect.
#[tokio::test]
async fn the_fence_holds_a_take_over_up_and_refuses_what_comes_after_it() {
    let Some(database) = Database::start().await else { return };
    database.execute("create table orders (id int); insert into orders values (1), (2)").await;
    let mut lock = database.lock("it's");
    let (term, guard) = guard_of_a_term(lock.clone()).await;
    let delete = |id: u32| format!("delete from orders where id = {id} and {guard}");
    assert_eq!(database.execute(delete(1)).await, 1, "no higher term has begun");
    // In a transaction, the row stays locked: the next term cannot begin, within the time of an
    // attempt, and nothing is left on the server that would write it later.
    let mut writer = database.connect().await;
    execute(&mut writer, format!("begin; select 1 where {guard}")).await.unwrap();
    let (_, old) = lock.read().await.unwrap().unwrap();
    lock.set_limit(ms(200));
    let next = record(Some("b"), term + 1, 0);
    let error =
        format!("{:#}", anyhow::Error::from(lock.write(&next, Some(&old)).await.unwrap_err()));
    assert!(error.contains("timeout"), "{error}");
    execute(&mut writer, "commit").await.unwrap();
    assert_eq!(lock.read().await.unwrap().unwrap().1, old);
    // A statement that waits for a take-over under way is refused when that is there.
    lock.set_limit(ms(60_000));
    let mut take_over = database.connect().await;
    execute(&mut take_over, "begin; update task_lead set term = term + 1").await.unwrap();
    let late = delete(2);
    let waiting = tokio::spawn(async move { execute(&mut writer, late).await });
    let waits = "select 1 from pg_stat_activity where wait_event_type = 'Lock'";
    crate::rig::until(async || database.execute(waits).await == 1).await;
    assert!(!waiting.is_finished());
    execute(&mut take_over, "commit").await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), 0, "the write of the former leader");
    assert_eq!(database.execute("delete from orders").await, 1);
}
