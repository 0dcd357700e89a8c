//! The service within the process of the test.

use std::{
    net::SocketAddr,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use clap::Parser as _;
use shop::{config::Config, service};
use taskkit::{Manager, Report, manager::ManagerHandle};

use crate::{client::Client, database::TestFile};

/// A service on a thread of its own, with a database that may have been used before.
pub struct Shop {
    pub address: SocketAddr,
    manager: ManagerHandle,
    thread: thread::JoinHandle<Report>,
}

impl Shop {
    /// Returns once the service is ready: the packer has seen what earlier runs left, so that an
    /// order of the test reaches it by the queue alone.
    pub fn start(file: &TestFile, arguments: &[&str]) -> Self {
        let config = config(file, arguments);
        let (started, start) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let manager = Manager::new();
                let address = service::start(&manager, &config).await.unwrap();
                manager.ready().await.unwrap();
                started.send((address, manager.handle())).unwrap();
                manager.wait().await.unwrap()
            })
        });
        let (address, manager) = start.recv().unwrap();
        Self { address, manager, thread }
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits until the order is packed.
    pub fn until_packed(&self, id: &str) {
        let begun = Instant::now();
        while self.client().get(&format!("/orders/{id}")).json()["state"] != "packed" {
            assert!(begun.elapsed() < Duration::from_secs(20), "{id} is not packed within 20 s");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Begins the stop.
    pub fn stop(&self) {
        self.manager.stop();
    }

    /// Stops the service, and returns the report of a clean shutdown.
    pub fn end(self) -> Report {
        self.stop();
        self.thread.join().unwrap()
    }
}

/// Returns settings for a test.
pub fn config(file: &TestFile, arguments: &[&str]) -> Config {
    let url = file.url();
    let own =
        ["shop", "--address=127.0.0.1:0", "--probe-address=127.0.0.1:0", "--database-url", &url];
    Config::try_parse_from(own.iter().chain(arguments)).unwrap()
}
