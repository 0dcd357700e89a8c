//! The register in a file.

use std::{env, fs, path::PathBuf, process};

use task_core::Task;
use task_leader::{FileLock, Record, Register, Version, Written, leading};
use task_testkit::TestScope;

use crate::rig::{ms, secs};

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("task-leader-{}-{name}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn lock(&self) -> FileLock {
        FileLock::new(self.0.join("purge.lead")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn record(holder: Option<&str>, term: u64, renewals: u64) -> Record {
    Record { holder: holder.map(Into::into), term, renewals, lease: secs(15) }
}

#[tokio::test]
async fn a_write_is_made_only_if_the_file_has_the_version() {
    let folder = Folder::new("version");
    let (mut one, mut other) = (folder.lock(), folder.lock());
    assert_eq!(one.read().await.unwrap(), None);
    let Written::Ok { version, term } = one.write(&record(Some("a"), 1, 0), None).await.unwrap()
    else {
        panic!("the file is there already");
    };
    assert!(term > 1_600_000_000_000_000, "microseconds since 1970: {term}");
    assert_eq!(other.write(&record(Some("b"), 2, 0), None).await.unwrap(), Written::Changed);
    let expected = (record(Some("a"), term, 0), version.clone());
    assert_eq!(other.read().await.unwrap(), Some(expected));
    let renewed = one.write(&record(Some("a"), term, 1), Some(&version)).await.unwrap();
    let Written::Ok { version: newer, term: same } = renewed else { panic!("changed") };
    assert_eq!(same, term);
    let late = other.write(&record(None, term, 1), Some(&version)).await.unwrap();
    assert_eq!(late, Written::Changed);
    let released = other.write(&record(None, term, 2), Some(&newer)).await.unwrap();
    assert_eq!(released, Written::Ok { version: Version::new(format!("{term}.2")), term });
    assert_eq!(one.read().await.unwrap().unwrap().0, record(None, term, 2));
    // A file that was removed: the next term is higher all the same.
    fs::remove_file(folder.0.join("purge.lead")).unwrap();
    let again = one.write(&record(Some("a"), 1, 0), None).await.unwrap();
    assert!(matches!(again, Written::Ok { term: again, .. } if again > term));
}

#[tokio::test]
async fn of_many_writers_of_one_version_one_wins() {
    let folder = Folder::new("writers");
    let mut version = None;
    for term in 1..20 {
        let mut writers = Vec::new();
        for index in 0..8 {
            let (mut lock, old) = (folder.lock(), version.clone());
            writers.push(tokio::spawn(async move {
                lock.write(&record(Some(&index.to_string()), term, 0), old.as_ref()).await.unwrap()
            }));
        }
        let mut won = Vec::new();
        for writer in writers {
            if let Written::Ok { version, .. } = writer.await.unwrap() {
                won.push(version);
            }
        }
        assert_eq!(won.len(), 1);
        version = won.pop();
    }
}

#[tokio::test]
async fn a_file_that_is_no_record_is_an_error_and_not_free() {
    let folder = Folder::new("broken");
    for text in ["", "task-leader 1\n3\n", "task-leader 1\n3\n4\n5\nname", "other\n1\n2\n3\n\n"] {
        fs::write(folder.0.join("purge.lead"), text).unwrap();
        let error = folder.lock().read().await.unwrap_err();
        assert!(error.to_string().contains("purge.lead"), "{error}");
        assert!(folder.lock().write(&record(Some("a"), 4, 0), None).await.is_err());
    }
    assert!(FileLock::new("/").is_err());
}

#[tokio::test]
async fn two_tasks_lead_one_after_the_other() {
    let folder = Folder::new("tasks");
    let task = |name: &str| {
        leading("purge", folder.lock(), async |term, _| {
            tokio::time::sleep(ms(50)).await;
            Ok(term.check()?)
        })
        .identity(name)
    };
    let (one, two) = (TestScope::new("one"), TestScope::new("two"));
    let (first, second) =
        tokio::join!(task("one").run(one.context()), task("two").run(two.context()));
    first.unwrap();
    second.unwrap();
    let text = fs::read_to_string(folder.0.join("purge.lead")).unwrap();
    assert!(text.ends_with("\n15000\n\n"), "released: {text}");
}
