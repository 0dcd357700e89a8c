//! The database: SQLite in a file, and PostgreSQL too if `PIPELINE_TEST_POSTGRES` holds the URL of
//! an empty database.

use std::{env, fs, path::PathBuf};

use pipeline::database::{Database, DatabaseUrl, Row};

/// Runs a test on each available database, with migrated tables.
async fn on_each<F: Future<Output = ()>>(name: &str, test: impl Fn(Database) -> F) {
    let file = TestFile::new(name);
    let url: DatabaseUrl = file.url().parse().unwrap();
    let database = Database::connect(&url).await.unwrap();
    database.migrate().await.unwrap();
    test(database.clone()).await;
    database.close().await;

    if let Ok(url) = env::var("PIPELINE_TEST_POSTGRES") {
        let database = Database::connect(&url.parse().unwrap()).await.unwrap();
        database.migrate().await.unwrap();
        while database.delete_oldest(i64::MAX, 1_000).await.unwrap() > 0 {}
        test(database.clone()).await;
        database.close().await;
    }
}

/// A SQLite file that is deleted after the test.
pub struct TestFile(PathBuf);

impl TestFile {
    pub fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("pipeline-{name}-{}.db", std::process::id()));
        let file = Self(path);
        file.remove();
        file
    }

    pub fn url(&self) -> String {
        format!("sqlite://{}", self.0.display())
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

fn rows(ids: std::ops::Range<i64>) -> Vec<Row> {
    ids.map(|id| Row {
        id: format!("o-{id}"),
        customer: "c".into(),
        region: "north".into(),
        total_eur_cents: id * 100,
        placed_ms: id,
        stored_ms: id,
    })
    .collect()
}

#[tokio::test]
async fn existing_rows_are_not_written_again() {
    on_each("again", async |database| {
        assert_eq!(database.insert(&rows(0..300)).await.unwrap(), 300);
        assert_eq!(database.insert(&rows(200..501)).await.unwrap(), 201);
        assert_eq!(database.insert(&rows(0..501)).await.unwrap(), 0);
        assert_eq!(database.insert(&[]).await.unwrap(), 0);
        assert_eq!(database.count().await.unwrap(), 501);
    })
    .await;
}

#[tokio::test]
async fn a_purge_deletes_the_oldest_rows_up_to_its_limit() {
    on_each("oldest", async |database| {
        database.insert(&rows(0..100)).await.unwrap();
        assert_eq!(database.delete_oldest(50, 30).await.unwrap(), 30);
        // The first 30 rows are deleted, so they are new again.
        assert_eq!(database.insert(&rows(0..100)).await.unwrap(), 30);
        assert_eq!(database.delete_oldest(50, 1_000).await.unwrap(), 50);
        assert_eq!(database.delete_oldest(50, 1_000).await.unwrap(), 0);
        assert_eq!(database.count().await.unwrap(), 50);
    })
    .await;
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    on_each("migrate", async |database| {
        database.insert(&rows(0..10)).await.unwrap();
        database.migrate().await.unwrap();
        assert_eq!(database.count().await.unwrap(), 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_that_start_at_once_on_a_new_file_all_migrate() {
    for round in 0..10 {
        let file = TestFile::new(&format!("at-once-{round}"));
        let url: DatabaseUrl = file.url().parse().unwrap();
        let starts = [(); 4].map(|()| {
            let url = url.clone();
            tokio::spawn(async move {
                let database = Database::connect(&url).await.unwrap();
                database.migrate().await.unwrap();
                database.close().await;
            })
        });
        for start in starts {
            start.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_failed_connection_names_the_database_without_its_query_and_the_cause_once() {
    let url: DatabaseUrl = "sqlite:///no/such/folder/x.db?cache=shared".parse().unwrap();
    let error = Database::connect(&url).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to connect to sqlite:///no/such/folder/x.db");
    let text = format!("{error:#}");
    assert_eq!(text.matches("unable to open database file").count(), 1, "{text}");
}

#[tokio::test]
async fn a_new_sqlite_file_is_created_unless_the_url_asks_for_one_that_exists() {
    let file = TestFile::new("new");
    let existing: DatabaseUrl = format!("{}?mode=rw", file.url()).parse().unwrap();
    Database::connect(&existing).await.unwrap_err();
    let database = Database::connect(&file.url().parse().unwrap()).await.unwrap();
    database.close().await;
    Database::connect(&existing).await.unwrap().close().await;
}
