//! A leader that is stopped for longer than its lease, and writes when it goes on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    thread::{self, sleep},
};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use task_core::{Context, Task};
use task_leader::{RowLock, Term, Times, leading};
use task_testkit::TestScope;
use tokio::runtime::{Builder, Runtime};

use crate::rig::{Database, execute, ms, until};

const FREEZES: u64 = 5;

#[derive(Debug, Default)]
struct Seen {
    /// The replica that leads is to freeze.
    freezes: AtomicBool,
    /// The highest term in which something was written.
    written: AtomicU64,
    /// Writes after a freeze that were refused.
    refused: AtomicU64,
    /// Writes after a freeze that were not.
    accepted: AtomicU64,
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Writes the term, if the fence lets it. Blocks, so that nothing can end the leader in between.
fn write(options: &PgConnectOptions, term: u64, guard: Option<&str>) -> u64 {
    let insert = format!("insert into writes (term) select {term}");
    let insert = guard.map_or(insert.clone(), |guard| format!("{insert} where {guard}"));
    let options = options.clone();
    let write = move || {
        runtime().block_on(async {
            let mut connection = PgConnection::connect_with(&options).await.unwrap();
            execute(&mut connection, insert).await.unwrap()
        })
    };
    thread::spawn(write).join().unwrap()
}

/// A replica that writes its term over and over, and freezes with its runtime when it is asked to,
/// until another replica has written.
async fn replica(options: PgConnectOptions, seen: Arc<Seen>, scope: TestScope, is_fenced: bool) {
    let lock = RowLock::new(options.clone(), "purge").unwrap();
    let fence = lock.clone();
    let task = leading("purge", lock, move |term: Term, ctx: Context| {
        let guard = is_fenced.then(|| fence.guard_sql(term.number()));
        let (options, seen, number) = (options.clone(), Arc::clone(&seen), term.number());
        async move {
            while !ctx.is_cancelled() {
                if write(&options, number, guard.as_deref()) == 1 {
                    seen.written.fetch_max(number, SeqCst);
                    if seen.freezes.swap(false, SeqCst) {
                        while seen.written.load(SeqCst) == number {
                            sleep(ms(5));
                        }
                        let late = write(&options, number, guard.as_deref());
                        let count = if late == 0 { &seen.refused } else { &seen.accepted };
                        count.fetch_add(1, SeqCst);
                    }
                }
                tokio::time::sleep(ms(20)).await;
            }
            Ok(())
        }
    });
    let times = Times::new(ms(2000), ms(900), ms(100)).unwrap();
    task.times(times).without_exit().run(scope.context()).await.unwrap();
}

/// Freezes the leader over and over, and returns what was seen, with how many rows have a term that
/// is lower than that of an earlier one.
async fn freeze(database: &Database, is_fenced: bool) -> (u64, u64, u64) {
    database.execute("create table writes (id bigserial, term bigint)").await;
    let seen = Arc::new(Seen::default());
    let scopes = [TestScope::new("one"), TestScope::new("two")];
    let replicas = scopes.each_ref().map(|scope| {
        let (options, seen, scope) = (database.options(), Arc::clone(&seen), scope.clone());
        thread::spawn(move || runtime().block_on(replica(options, seen, scope, is_fenced)))
    });
    for done in 0..FREEZES {
        seen.freezes.store(true, SeqCst);
        let count = || seen.refused.load(SeqCst) + seen.accepted.load(SeqCst);
        until(async || count() > done).await;
    }
    scopes.iter().for_each(TestScope::cancel);
    tokio::task::spawn_blocking(|| replicas.map(|replica| replica.join().unwrap())).await.unwrap();
    let stale = "delete from writes late where exists \
        (select from writes where id < late.id and term > late.term)";
    let stale = database.execute(stale).await;
    database.execute("drop table writes").await;
    (seen.refused.load(SeqCst), seen.accepted.load(SeqCst), stale)
}

/// LEAD 3: by the fence no write of a frozen leader is taken; without it, each is.
#[tokio::test]
async fn what_a_frozen_leader_writes_is_refused() {
    let Some(database) = Database::start().await else { return };
    assert_eq!(freeze(&database, true).await, (FREEZES, 0, 0));
    let (refused, accepted, stale) = freeze(&database, false).await;
    assert_eq!((refused, accepted), (0, FREEZES));
    assert!(stale >= FREEZES, "{stale}");
}
