//! A server with connections to it, and replicas that lead on it.

use std::{
    ops::Deref,
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions, raw_sql};
use task_core::{Context, Task};
use task_leader::{LeadHandle, RowLock, Term, Times, leading};
use task_testkit::TestScope;
use tokio::{task::JoinHandle, time::sleep};

use crate::server::Server;

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Times with which a machine that does other work costs nobody the lead.
pub(crate) fn patient() -> Times {
    Times::new(ms(60_000), ms(50_000), ms(200)).unwrap()
}

/// A server that is ended with the test.
pub(crate) struct Database(Server);

impl Database {
    /// Starts a server, with the table of the locks. `None` if there is no PostgreSQL here.
    pub(crate) async fn start() -> Option<Self> {
        let server = match Server::start() {
            Ok(server) => server,
            Err(error) if error.to_string().contains("no PostgreSQL") => {
                eprintln!("skipped: {error}");
                return None;
            }
            Err(error) => panic!("{error:#}"),
        };
        let database = Self(server);
        database.lock("any").create_table().await.unwrap();
        Some(database)
    }

    pub(crate) fn options(&self) -> PgConnectOptions {
        self.url().parse().unwrap()
    }

    pub(crate) fn lock(&self, name: &str) -> RowLock {
        RowLock::new(self.options(), name).unwrap()
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect_with(&self.options()).await.unwrap()
    }

    /// Runs a statement on a connection of its own, and returns how many rows it affected.
    pub(crate) async fn execute(&self, sql: impl Into<String>) -> u64 {
        execute(&mut self.connect().await, sql).await.unwrap()
    }

    /// Ends every session but the one that does it. Returns how many there were.
    pub(crate) async fn end_sessions(&self) -> u64 {
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity \
            where backend_type = 'client backend' and pid <> pg_backend_pid()";
        self.execute(sql).await
    }
}

impl Deref for Database {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

pub(crate) async fn execute(
    connection: &mut PgConnection,
    sql: impl Into<String>,
) -> Result<u64, sqlx::Error> {
    Ok(raw_sql(AssertSqlSafe(sql.into())).execute(connection).await?.rows_affected())
}

/// A replica that runs, and does nothing in its terms.
pub(crate) struct Replica {
    pub(crate) scope: TestScope,
    pub(crate) handle: LeadHandle,
    pub(crate) running: JoinHandle<anyhow::Result<()>>,
}

impl Replica {
    pub(crate) fn run(name: &str, lock: RowLock, times: Times) -> Self {
        let task = leading("purge", lock, async |_: Term, ctx: Context| {
            ctx.cancelled().await;
            Ok(())
        });
        let task = task.times(times).identity(name);
        let (scope, handle) = (TestScope::new("purge"), task.handle());
        let running = tokio::spawn(task.run(scope.context()));
        Self { scope, handle, running }
    }

    /// Waits until it leads, and returns the term.
    pub(crate) async fn leads(&self) -> u64 {
        loop {
            if let Some(term) = self.handle.term() {
                return term;
            }
            sleep(ms(2)).await;
        }
    }

    pub(crate) async fn stop(self) -> Instant {
        self.scope.cancel();
        self.running.await.unwrap().unwrap();
        Instant::now()
    }
}

/// Waits until something holds.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        sleep(ms(5)).await;
    }
}
