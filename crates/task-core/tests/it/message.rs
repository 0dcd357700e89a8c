//! The message of a process that ends: bounded, whole characters, and only in a file.

use std::{fmt, fs, path::PathBuf, process::Command, time::Instant};

use proptest::prelude::*;
use task_core::scope::{ending_message, write_ending_message};

/// A folder of its own for a test, which is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("task-core-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_message_is_the_beginning_of_its_text_in_at_most_4096_bytes(
        pieces in proptest::collection::vec("[aé漢🦀\n]{0,40}", 0..150),
    ) {
        struct Pieces<'a>(&'a [String]);
        impl fmt::Display for Pieces<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|piece| f.write_str(piece))
            }
        }
        let text = pieces.concat();
        let message = ending_message(Pieces(&pieces));
        prop_assert!(message.len() <= 4_096 && message.ends_with('\n'));
        let whole = if text.ends_with('\n') { text.clone() } else { text.clone() + "\n" };
        if whole.len() <= 4_096 {
            prop_assert_eq!(&message, &whole);
        } else {
            let kept = message.strip_suffix("...\n").unwrap();
            // A character has at most four bytes.
            prop_assert!(text.starts_with(kept) && kept.len() > 4_088, "{}", kept.len());
        }
        prop_assert_eq!(ending_message(&message), message);
    }
}

#[test]
fn ten_megabytes_of_text_are_a_message_of_4096_bytes_and_are_not_formatted() {
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                f.write_str("failure: no broker, ")?;
            }
        }
    }
    assert_eq!(ending_message("x".repeat(10 << 20)).len(), 4_096);
    assert_eq!(ending_message(Endless).len(), 4_096);
}

#[test]
fn a_display_that_panics_leaves_what_it_wrote() {
    struct Faulty;
    impl fmt::Display for Faulty {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("exit code 1")?;
            panic!("no further");
        }
    }
    assert_eq!(ending_message(Faulty), "exit code 1\n");
}

#[test]
fn a_file_is_made_or_overwritten_with_nothing_left_of_what_it_had() {
    let folder = Folder::new("message");
    let file = folder.file("termination-log");
    write_ending_message(&file, "x".repeat(9_000)).unwrap();
    assert_eq!(fs::read(&file).unwrap().len(), 4_096);
    write_ending_message(&file, "exit code 0").unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "exit code 0\n");
}

#[test]
fn what_is_not_a_file_or_cannot_be_written_is_an_error_at_once() {
    let folder = Folder::new("no-message");
    let error = write_ending_message(&folder.0, "exit code 0").unwrap_err();
    assert_eq!(error.to_string(), "it is not a regular file");
    write_ending_message(&folder.file("missing/file"), "exit code 0").unwrap_err();
    if cfg!(not(unix)) {
        return;
    }
    // Nobody reads it, so that an open for writing would wait for ever.
    let pipe = folder.file("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let began = Instant::now();
    write_ending_message(&pipe, "exit code 0").unwrap_err();
    assert!(began.elapsed().as_secs() < 10);
}
