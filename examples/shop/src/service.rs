//! The setup: every part of the service, in the order in which it starts.
//!
//! Tasks stop by phase: the API, then the packer, then metrics, probes and signals. The database
//! closes last, in a cleanup.

use std::net::SocketAddr;

use anyhow::Context as _;
use taskkit::{HttpTask, Manager, ServeTask, Task, http::text_source, task_fn};

use crate::{api, config::Config, counts::Counts, database::Database, packer, shop::Shop};

/// Runs all tasks of the service and registers its cleanup. Returns the address of the API.
///
/// # Errors
///
/// Returns an error if a part could not be created or reached. The manager stops the parts that run
/// by then.
pub async fn start(manager: &Manager, config: &Config) -> anyhow::Result<SocketAddr> {
    // Bound first, so that an address in use is found at once. It is served last.
    let serve = ServeTask::bind(config.address)?;
    let address = serve.local_addr().context("no address of TCP")?;
    let stats = serve.stats();
    let counts = Counts::default();
    let http = HttpTask::builder()
        .metrics(counts.registry())
        .metrics(text_source(move || stats.to_string()))
        .bind(config.probe_address)?;
    if let Some(address) = http.local_addr() {
        tracing::info!("metrics and probes at http://{address}");
    }
    // Before the rest of the setup, so that probes respond during it.
    manager.run(http)?;

    let database = Database::connect(&config.database_url).await?;
    manager.cleanup("database", {
        let database = database.clone();
        async move || {
            database.close().await;
            Ok(())
        }
    })?;
    database.migrate().await?;

    let (shop, queue) = Shop::new(database, config.queue, counts);
    let (packing_shop, packing_time) = (shop.clone(), config.packing_time);
    let packer = task_fn("packer", move |ctx| packer::run(ctx, queue, packing_shop, packing_time));
    manager.run(packer.gating_readiness())?;

    manager.run(serve.finish_handlers().service(api::router(shop)).named("api"))?;
    tracing::info!("orders at http://{address}/orders");
    Ok(address)
}
