//! The database: SQLite in a file, and PostgreSQL too if `SHOP_TEST_POSTGRES` holds the URL of an
//! empty database.

use std::{env, fs, path::PathBuf};

use shop::{
    database::Database,
    order::{NewOrder, State},
};

/// A SQLite file that is deleted after the test.
pub struct TestFile(PathBuf);

impl TestFile {
    pub fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("shop-{name}-{}.db", std::process::id()));
        let file = Self(path);
        file.remove();
        file
    }

    pub fn url(&self) -> String {
        format!("sqlite://{}?mode=rwc", self.0.display())
    }

    fn remove(&self) {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", self.0.display()));
        }
    }
}

impl Drop for TestFile {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Runs a test on each available database, with migrated tables.
async fn on_each<F: Future<Output = ()>>(name: &str, test: impl Fn(Database) -> F) {
    let file = TestFile::new(name);
    for url in [Some(file.url()), env::var("SHOP_TEST_POSTGRES").ok()].into_iter().flatten() {
        let database = Database::connect(&url).await.unwrap();
        database.migrate().await.unwrap();
        database.migrate().await.unwrap(); // changes nothing
        test(database.clone()).await;
        database.close().await;
    }
}

fn new(id: &str) -> NewOrder {
    NewOrder { id: id.into(), item: "tea".into(), quantity: 2 }
}

#[tokio::test]
async fn an_order_is_recorded_once_and_its_requests_are_counted() {
    on_each("once", async |database| {
        let order = database.place(&new("once")).await.unwrap();
        assert!(order.is_for(&new("once")), "{order:?}");
        assert_eq!((order.state, order.requests), (State::Placed, 1));
        assert_eq!(database.place(&new("once")).await.unwrap().requests, 2);
        // Another order of that id changes nothing of the first.
        let other = NewOrder { quantity: 3, ..new("once") };
        let order = database.place(&other).await.unwrap();
        assert!(order.is_for(&new("once")) && !order.is_for(&other), "{order:?}");
        assert_eq!(database.find("once").await.unwrap(), Some(order));
        assert_eq!(database.find("never").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_order_is_packed_once() {
    on_each("packed", async |database| {
        database.place(&new("packed")).await.unwrap();
        let order = database.pack("packed").await.unwrap().unwrap();
        assert_eq!(order.state, State::Packed);
        assert_eq!(database.pack("packed").await.unwrap(), None);
        assert_eq!(database.pack("never").await.unwrap(), None);
        assert_eq!(database.place(&new("packed")).await.unwrap().state, State::Packed);
    })
    .await;
}

#[tokio::test]
async fn pages_follow_each_other_by_id() {
    on_each("pages", async |database| {
        for id in ["page-3", "page-1", "page-4", "page-2"] {
            database.place(&new(id)).await.unwrap();
        }
        database.pack("page-2").await.unwrap();
        let ids = async |after: &str, limit, state| {
            let page = database.page(after, limit, state).await.unwrap();
            page.into_iter().map(|order| order.id).collect::<Vec<_>>()
        };
        assert_eq!(ids("page-", 3, None).await, ["page-1", "page-2", "page-3"]);
        assert_eq!(ids("page-3", 3, None).await, ["page-4"]);
        assert_eq!(ids("page-1", 2, Some(State::Placed)).await, ["page-3", "page-4"]);
        assert_eq!(ids("page-", 9, Some(State::Packed)).await, ["page-2"]);
    })
    .await;
}

#[tokio::test]
async fn instances_that_start_at_once_migrate_once() {
    let file = TestFile::new("at-once");
    let starts = (0..4).map(|_| {
        let url = file.url();
        tokio::spawn(async move {
            let database = Database::connect(&url).await?;
            database.migrate().await?;
            database.close().await;
            anyhow::Ok(())
        })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn the_error_of_a_connection_does_not_show_the_password() {
    for url in ["postgres://me:hunter2@127.0.0.1:1/shop", "mysql://me:hunter2@db/shop"] {
        let error = format!("{:#}", Database::connect(url).await.unwrap_err());
        assert!(error.starts_with("failed to connect to the database: "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
