//! The database: SQLite or PostgreSQL, as the URL says, with the same statements.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use anyhow::{Context as _, ensure};
use sqlx::{
    AnyPool, AssertSqlSafe, Executor as _, SqlSafeStr as _,
    any::{AnyPoolOptions, install_default_drivers},
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};
use tokio::time::sleep;

/// Maximum number of rows that one statement inserts.
const MAX_ROWS: usize = 128;

/// Attempts at a migration, which another instance may be running too, and the pause between them.
const MIGRATION_ATTEMPTS: u32 = 5;
const MIGRATION_PAUSE: Duration = Duration::from_millis(125);
const MIGRATION_FAILED: &str = "failed to migrate the database";

const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "orders", include_str!("../migrations/1_orders.sql")),
    (2, "orders by age", include_str!("../migrations/2_orders_by_age.sql")),
];

/// The URL of a database. Its `Display` and `Debug` output hides the password.
#[derive(Clone)]
pub struct DatabaseUrl(String);

/// A pool of connections; cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: AnyPool,
    /// The statement that inserts 2^n rows, at index n.
    inserts: Vec<String>,
}

/// One row of `orders`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The id of the order.
    pub id: String,
    /// The customer's id.
    pub customer: String,
    /// The region of the customer's country.
    pub region: String,
    /// The total in euro cents.
    pub total_eur_cents: i64,
    /// The time of the order, in milliseconds since 1970.
    pub placed_ms: i64,
    /// The time at which the row was made, in milliseconds since 1970.
    pub stored_ms: i64,
}

impl Database {
    /// Connects. SQLite creates the file, unless the URL has a mode (`?mode=rw`).
    ///
    /// # Errors
    ///
    /// Returns an error if the first connection could not be made within 5 s.
    pub async fn connect(url: &DatabaseUrl) -> anyhow::Result<Self> {
        install_default_drivers();
        let is_sqlite = url.is_sqlite();
        let pool = AnyPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if is_sqlite {
                        // Readers and the writer do not block each other, and a commit does not
                        // wait for the disk.
                        connection.execute("PRAGMA journal_mode = WAL").await?;
                        connection.execute("PRAGMA synchronous = NORMAL").await?;
                    }
                    Ok(())
                })
            })
            .connect(&url.with_mode())
            .await
            .map_err(once)
            .with_context(|| format!("failed to connect to {url}"))?;
        let inserts = (0..=MAX_ROWS.ilog2()).map(|n| insert_statement(1 << n)).collect();
        Ok(Self { pool, inserts })
    }

    /// Migrates the tables to the current version. On PostgreSQL, instances that start at once wait
    /// for each other. SQLite has no lock for that: the later instance fails, tries again and finds
    /// the tables.
    ///
    /// # Errors
    ///
    /// Returns an error if a migration failed five times in half a second, or if an applied
    /// migration has changed.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let migrations = MIGRATIONS.map(|(version, description, sql)| {
            let sql = sql.into_sql_str();
            Migration::new(version, description.into(), MigrationType::Simple, sql, false)
        });
        let migrator = Migrator::with_migrations(migrations.into());
        for _ in 1..MIGRATION_ATTEMPTS {
            match migrator.run(&self.pool).await {
                Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..)) => {
                    sleep(MIGRATION_PAUSE).await;
                }
                other => return other.map_err(once).context(MIGRATION_FAILED),
            }
        }
        migrator.run(&self.pool).await.map_err(once).context(MIGRATION_FAILED)
    }

    /// Inserts rows and returns how many were new. Rows that exist stay as they are.
    ///
    /// # Errors
    ///
    /// Returns an error if a statement failed. Earlier statements are committed; call it again with
    /// the same rows.
    ///
    /// # Cancel safety
    ///
    /// Each statement is a transaction. After a cancellation it is either committed or not; call it
    /// again with the same rows.
    pub async fn insert(&self, mut rows: &[Row]) -> anyhow::Result<u64> {
        let mut inserted = 0;
        while !rows.is_empty() {
            // The largest power of two that fits: few different statements, each prepared once.
            let exponent = rows.len().min(MAX_ROWS).ilog2() as usize;
            let (these, rest) = rows.split_at(1 << exponent);
            let mut query = sqlx::query(AssertSqlSafe(self.inserts[exponent].as_str()));
            for row in these {
                query = query
                    .bind(&row.id)
                    .bind(&row.customer)
                    .bind(&row.region)
                    .bind(row.total_eur_cents)
                    .bind(row.placed_ms)
                    .bind(row.stored_ms);
            }
            inserted += query.execute(&self.pool).await.map_err(once)?.rows_affected();
            rows = rest;
        }
        Ok(inserted)
    }

    /// Deletes at most `limit` of the rows stored before `before_ms`, the oldest first, and returns
    /// the number deleted.
    ///
    /// # Errors
    ///
    /// Returns an error if the statement failed.
    ///
    /// # Cancel safety
    ///
    /// The statement is a transaction. After a cancellation it is either committed or not.
    pub async fn delete_oldest(&self, before_ms: i64, limit: u32) -> anyhow::Result<u64> {
        let delete = "DELETE FROM orders WHERE id IN \
            (SELECT id FROM orders WHERE stored_ms < $1 ORDER BY stored_ms LIMIT $2)";
        let deleted = sqlx::query(delete).bind(before_ms).bind(i64::from(limit));
        Ok(deleted.execute(&self.pool).await.map_err(once)?.rows_affected())
    }

    /// Returns the number of rows.
    ///
    /// # Errors
    ///
    /// Returns an error if the statement failed.
    pub async fn count(&self) -> anyhow::Result<u64> {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM orders").fetch_one(&self.pool);
        let count: i64 = count.await.map_err(once)?;
        Ok(count.max(0).cast_unsigned())
    }

    /// Closes the pool of all clones: waits for the connections in use, then closes each one.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Keeps the message alone: that of the driver ends with its cause, and `{:#}` writes that again.
fn once(error: impl std::error::Error) -> anyhow::Error {
    anyhow::Error::msg(error.to_string())
}

fn insert_statement(rows: usize) -> String {
    let mut sql = String::from(
        "INSERT INTO orders (id, customer, region, total_eur_cents, placed_ms, stored_ms) VALUES ",
    );
    for row in 0..rows {
        let first = row * 6;
        let holders: Vec<_> = (1..=6).map(|column| format!("${}", first + column)).collect();
        sql.push_str(if row == 0 { "(" } else { ", (" });
        sql.push_str(&holders.join(", "));
        sql.push(')');
    }
    sql.push_str(" ON CONFLICT (id) DO NOTHING");
    sql
}

impl DatabaseUrl {
    fn is_sqlite(&self) -> bool {
        self.0.starts_with("sqlite:")
    }

    /// Returns the URL for the driver, which by itself does not create the file of SQLite.
    fn with_mode(&self) -> Cow<'_, str> {
        let (_, query) = self.0.split_once('?').unwrap_or_default();
        if !self.is_sqlite() || query.split('&').any(|pair| pair.starts_with("mode=")) {
            return Cow::Borrowed(&self.0);
        }
        let separator = if self.0.contains('?') { '&' } else { '?' };
        Cow::Owned(format!("{}{separator}mode=rwc", self.0))
    }
}

impl FromStr for DatabaseUrl {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> anyhow::Result<Self> {
        let known = ["sqlite:", "postgres://", "postgresql://"];
        ensure!(
            known.iter().any(|scheme| url.starts_with(scheme)),
            "a database URL begins with sqlite:// or postgres://"
        );
        Ok(Self(url.to_owned()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return f.write_str(&self.0) };
        // The query may hold a password too.
        let rest = rest.split('?').next().unwrap_or(rest);
        match rest.rsplit_once('@') {
            Some((user, place)) => {
                let user = user.split(':').next().unwrap_or(user);
                write!(f, "{scheme}://{user}:***@{place}")
            }
            None => write!(f, "{scheme}://{rest}"),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn output_hides_the_password() {
        for (url, shown) in [
            ("postgres://me:hunter2@db:5432/shop", "postgres://me:***@db:5432/shop"),
            ("postgres://db/shop?password=hunter2", "postgres://db/shop"),
            ("postgres://me:p@ss@db/shop", "postgres://me:***@db/shop"),
            ("sqlite://pipeline.db?mode=rw", "sqlite://pipeline.db"),
        ] {
            assert_eq!(format!("{:?}", url.parse::<DatabaseUrl>().unwrap()), shown);
        }
    }

    #[test]
    fn a_sqlite_file_is_created_unless_the_url_has_a_mode() {
        for (url, with_mode) in [
            ("sqlite://pipeline.db", "sqlite://pipeline.db?mode=rwc"),
            ("sqlite://a.db?cache=shared", "sqlite://a.db?cache=shared&mode=rwc"),
            ("sqlite://a.db?cache=shared&mode=rw", "sqlite://a.db?cache=shared&mode=rw"),
            ("postgres://me@db/shop", "postgres://me@db/shop"),
        ] {
            assert_eq!(url.parse::<DatabaseUrl>().unwrap().with_mode(), with_mode);
        }
    }

    #[test]
    fn other_databases_are_rejected() {
        assert!("mysql://db/shop".parse::<DatabaseUrl>().is_err());
    }
}
