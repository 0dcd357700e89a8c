//! The database: SQLite or PostgreSQL, as the URL says, with the same statements.

use std::time::Duration;

use anyhow::Context as _;
use sqlx::{
    AnyPool, Executor as _, SqlSafeStr as _,
    any::{AnyPoolOptions, install_default_drivers},
    migrate::{Migration, MigrationType, Migrator},
    query_as,
};
use tokio::time::sleep;

use crate::order::{NewOrder, Order, State};

/// Attempts at a migration, which another instance may be running too, and the pause between them.
const MIGRATION_ATTEMPTS: u32 = 5;
const MIGRATION_PAUSE: Duration = Duration::from_millis(125);

/// A pool of connections; cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: AnyPool,
}

/// The columns of an order.
type Row = (String, String, i64, String, i64);

impl Database {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Returns an error if the first connection could not be made within 5 s. The error does not
    /// contain the URL, which may hold a password.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        install_default_drivers();
        let pool = AnyPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    if connection.backend_name() == "SQLite" {
                        // Readers and the writer do not block each other.
                        connection.execute("PRAGMA journal_mode = WAL").await?;
                    }
                    Ok(())
                })
            })
            .connect(url)
            .await
            .context("failed to connect to the database")?;
        Ok(Self { pool })
    }

    /// Migrates the tables to the current version. Instances that start at once wait for each other
    /// on PostgreSQL; on SQLite the later one fails, tries again and finds the tables.
    ///
    /// # Errors
    ///
    /// Returns an error if it failed five times in half a second.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let sql = include_str!("../migrations/1_orders.sql").into_sql_str();
        let orders = Migration::new(1, "orders".into(), MigrationType::Simple, sql, false);
        let migrator = Migrator::with_migrations(vec![orders]);
        let mut attempts = 1;
        while let Err(error) = migrator.run(&self.pool).await {
            if attempts == MIGRATION_ATTEMPTS {
                return Err(error).context("failed to migrate the database");
            }
            attempts += 1;
            sleep(MIGRATION_PAUSE).await;
        }
        Ok(())
    }

    /// Records an order, or counts a request for one that is there. Returns the order as recorded:
    /// it is new if it has had one request.
    ///
    /// # Errors
    ///
    /// Returns an error if the statement failed.
    pub async fn place(&self, new: &NewOrder) -> sqlx::Result<Order> {
        let insert = "INSERT INTO orders (id, item, quantity, state, requests) \
            VALUES ($1, $2, $3, 'placed', 1) \
            ON CONFLICT (id) DO UPDATE SET requests = orders.requests + 1 \
            RETURNING id, item, quantity, state, requests";
        let insert = query_as(insert).bind(&new.id).bind(&new.item).bind(new.quantity);
        insert.fetch_one(&self.pool).await.map(order)
    }

    /// Marks an order as packed, and returns it; `None` if it was packed before.
    ///
    /// # Errors
    ///
    /// Returns an error if the statement failed.
    pub async fn pack(&self, id: &str) -> sqlx::Result<Option<Order>> {
        let update = "UPDATE orders SET state = 'packed' WHERE id = $1 AND state = 'placed' \
            RETURNING id, item, quantity, state, requests";
        Ok(query_as(update).bind(id).fetch_optional(&self.pool).await?.map(order))
    }

    /// Returns an order by its id.
    ///
    /// # Errors
    ///
    /// Returns an error if the statement failed.
    pub async fn find(&self, id: &str) -> sqlx::Result<Option<Order>> {
        let select = "SELECT id, item, quantity, state, requests FROM orders WHERE id = $1";
        Ok(query_as(select).bind(id).fetch_optional(&self.pool).await?.map(order))
    }

    /// Returns orders by id, from the one after `after` on, at most `limit`; only those in `state`
    /// if one is given.
    ///
    /// # Errors
    ///
    /// Returns an error if the statement failed.
    pub async fn page(
        &self,
        after: &str,
        limit: u32,
        state: Option<State>,
    ) -> sqlx::Result<Vec<Order>> {
        let select = "SELECT id, item, quantity, state, requests FROM orders \
            WHERE id > $1 AND ($2 = '' OR state = $2) ORDER BY id LIMIT $3";
        let state = state.map_or("", State::name);
        let rows = query_as(select).bind(after).bind(state).bind(i64::from(limit));
        Ok(rows.fetch_all(&self.pool).await?.into_iter().map(order).collect())
    }

    /// Closes the pool of all clones: waits for the connections in use, then closes each one.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn order((id, item, quantity, state, requests): Row) -> Order {
    let state = if state == State::Packed.name() { State::Packed } else { State::Placed };
    Order { id, item, quantity, state, requests }
}
