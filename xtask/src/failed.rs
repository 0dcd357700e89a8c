//! The names of the tests that failed, out of what they print.

use std::io::{BufRead as _, BufReader, Read, Write as _, stdout};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A process that a test has left behind may hold the output open.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Output that is copied to stdout.
pub(crate) struct Copied(Receiver<String>);

impl Copied {
    pub(crate) fn new(output: impl Read + Send + 'static) -> Self {
        let (sender, names) = channel();
        thread::spawn(move || {
            let mut list = List::default();
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let mut out = stdout().lock();
                // As with the output of a program that inherits stdout.
                let _ = out.write_all(&line).and_then(|()| out.write_all(b"\n"));
                if let Some(name) = list.name_in(&String::from_utf8_lossy(&line)) {
                    let _ = sender.send(name.to_owned());
                }
            }
        });
        Self(names)
    }

    /// The names, once the output has ended.
    pub(crate) fn names(self) -> Vec<String> {
        std::iter::from_fn(|| self.0.recv_timeout(END_TIMEOUT).ok()).collect()
    }
}

/// Finds the list of names that ends the output of a test program.
#[derive(Default)]
struct List {
    is_open: bool,
}

impl List {
    fn name_in<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        let name = line.strip_prefix("    ").filter(|_| self.is_open);
        self.is_open = name.is_some() || line == "failures:";
        name
    }
}

#[cfg(test)]
mod tests {
    use super::List;

    #[test]
    fn the_names_are_those_of_the_list_at_the_end() {
        let printed = "test a::b ... FAILED\n\nfailures:\n\n---- a::b stdout ----\n    left: 1\n\n\
            failures:\n    a::b\n    src/lib.rs - c (line 3)\n\ntest result: FAILED. 0 passed\n    d\n";
        let mut list = List::default();
        let names: Vec<_> = printed.lines().filter_map(|line| list.name_in(line)).collect();
        assert_eq!(names, ["a::b", "src/lib.rs - c (line 3)"]);
    }
}
