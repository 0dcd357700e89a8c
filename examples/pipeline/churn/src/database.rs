//! The database of one stage: its rows, and how it becomes unavailable.

mod postgres;

use std::{collections::HashSet, path::Path};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use sqlx::{AnyConnection, Connection as _, Executor as _, any::install_default_drivers};
use tokio::runtime::Runtime;

use crate::message;
use postgres::Server;

/// The kinds of databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DatabaseKind {
    /// A SQLite file.
    Sqlite,
    /// A server per scenario, on loopback; needs PostgreSQL (Debian: `apt-get install postgresql`).
    Postgres,
}

#[derive(Debug)]
pub(crate) struct Database {
    url: String,
    server: Option<Server>,
    runtime: Runtime,
    /// A transaction that blocks all other writers.
    lock: Option<AnyConnection>,
    is_down: bool,
}

impl Database {
    pub(crate) fn start(kind: DatabaseKind, folder: &Path) -> Result<Self> {
        install_default_drivers();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (server, url) = match kind {
            DatabaseKind::Sqlite => {
                (None, format!("sqlite://{}", folder.join("churn.db").display()))
            }
            DatabaseKind::Postgres => {
                let server = Server::start()?;
                let url = server.url();
                (Some(server), url)
            }
        };
        Ok(Self { url, server, runtime, lock: None, is_down: false })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether there is a server that can be stopped.
    pub(crate) fn is_server(&self) -> bool {
        self.server.is_some()
    }

    /// Locks the database: other writers block, or fail because it is locked.
    pub(crate) fn lock(&mut self) -> Result<()> {
        let begin: &[&str] = match self.server {
            None => &["BEGIN IMMEDIATE"],
            Some(_) => &["BEGIN", "LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"],
        };
        let lock = self.runtime.block_on(async {
            let mut connection = AnyConnection::connect(&self.url).await?;
            for statement in begin {
                connection.execute(*statement).await?;
            }
            Ok::<_, sqlx::Error>(connection)
        });
        self.lock = Some(lock.context("failed to lock the database")?);
        Ok(())
    }

    /// Stops the server like a crash.
    pub(crate) fn crash(&mut self) -> Result<()> {
        let server = self.server.as_ref().context("there is no server to stop")?;
        self.is_down = true;
        server.crash()
    }

    /// Makes the database available again.
    pub(crate) fn bring_back(&mut self) -> Result<()> {
        if let Some(lock) = self.lock.take() {
            // The end of a connection releases its locks.
            let _ = self.runtime.block_on(lock.close());
        }
        if self.is_down
            && let Some(server) = &self.server
        {
            server.restart()?;
            self.is_down = false;
        }
        Ok(())
    }

    /// Returns the numbers of the orders in the database, `None` for an id that is not an order's.
    pub(crate) fn rows(&self) -> Result<HashSet<Option<u32>>> {
        let ids: Vec<String> = self.runtime.block_on(async {
            let mut connection = AnyConnection::connect(&self.url).await?;
            sqlx::query_scalar("SELECT id FROM orders").fetch_all(&mut connection).await
        })?;
        Ok(ids.iter().map(|id| message::number(id)).collect())
    }
}
