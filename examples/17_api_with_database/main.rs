//! An HTTP API with a database: axum and SQLite, by hand.
//!
//! - The database is closed by a cleanup, and so after the last request.
//! - The task `api` is stopped in the first phase. The framework then accepts no more connections,
//!   finishes the requests at hand and closes what is idle, for at most five seconds.
//! - The service is ready when it accepts connections. During a drain, it still does.
//!
//! ```sh
//! cargo run -p example-api -- 127.0.0.1:8080 'sqlite://notes.db?mode=rwc'
//! curl --data 'buy milk' http://127.0.0.1:8080/notes
//! curl http://127.0.0.1:8080/notes
//! ```
//!
//! Stopped with: SIGTERM after it printed `listening on`
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

use std::{env::args, future::IntoFuture as _, net::SocketAddr, process::ExitCode, time::Duration};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use sqlx::{SqlitePool, query, query_scalar, sqlite::SqlitePoolOptions};
use taskkit::{Context, Manager, Phase, Task, task_fn};
use tokio::net::TcpListener;

fn main() -> ExitCode {
    taskkit::main(async |manager| {
        let listen = args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
        let database = args().nth(2).unwrap_or_else(|| "sqlite::memory:".into());
        let address = set_up(manager, &listen, &database).await?;
        println!("listening on http://{address}/notes");
        Ok(())
    })
}

async fn set_up(manager: &Manager, listen: &str, database: &str) -> anyhow::Result<SocketAddr> {
    // One connection: a second one to `:memory:` would have a database of its own.
    let pool = SqlitePoolOptions::new().max_connections(1).connect(database).await?;
    let closed = pool.clone();
    manager.cleanup("database", async move || {
        closed.close().await;
        Ok(())
    })?;
    query("CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)").execute(&pool).await?;

    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let api = Router::new().route("/notes", get(list).post(add)).with_state(pool);
    let task = task_fn("api", |ctx| serve(ctx, listener, api));
    manager.run(task.in_phase(Phase::INGRESS).gating_readiness())?;
    Ok(address)
}

async fn serve(ctx: Context, listener: TcpListener, api: Router) -> anyhow::Result<()> {
    ctx.set_ready(true);
    let served = axum::serve(listener, api).with_graceful_shutdown(ctx.cancelled_owned());
    Ok(ctx.finish_within(Duration::from_secs(5), served.into_future()).await??)
}

async fn list(State(pool): State<SqlitePool>) -> Result<String, StatusCode> {
    let notes: Vec<String> =
        query_scalar("SELECT text FROM notes").fetch_all(&pool).await.map_err(failed)?;
    Ok(notes.join("\n"))
}

async fn add(State(pool): State<SqlitePool>, text: String) -> Result<StatusCode, StatusCode> {
    query("INSERT INTO notes VALUES (?)").bind(text).execute(&pool).await.map_err(failed)?;
    Ok(StatusCode::CREATED)
}

fn failed(error: sqlx::Error) -> StatusCode {
    println!("failed: {error}");
    StatusCode::INTERNAL_SERVER_ERROR
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::set_up;
    use taskkit::Manager;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    /// Sends one request and reads until the response has ended with `end`.
    async fn request(connection: &mut TcpStream, head: &str, body: &str, end: &str) -> String {
        let length = body.len();
        let text =
            format!("{head} /notes HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n{body}");
        connection.write_all(text.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        while !response.ends_with(end.as_bytes()) {
            assert_ne!(connection.read_buf(&mut response).await.unwrap(), 0, "closed too early");
        }
        String::from_utf8(response).unwrap()
    }

    #[tokio::test]
    async fn a_note_is_kept_and_a_stop_closes_idle_connections_and_the_database() {
        let manager = Manager::new();
        let address = set_up(&manager, "127.0.0.1:0", "sqlite::memory:").await.unwrap();
        let mut connection = TcpStream::connect(address).await.unwrap();
        let added = request(&mut connection, "POST", "buy milk", "\r\n\r\n").await;
        assert!(added.starts_with("HTTP/1.1 201"), "{added}");
        let listed = request(&mut connection, "GET", "", "\r\n\r\nbuy milk").await;
        assert!(listed.starts_with("HTTP/1.1 200"), "{listed}");

        // The connection is idle now, and would be kept for the next request.
        let report = manager.shutdown().await.unwrap();
        assert_eq!(report.cleanups().len(), 1);
        assert_eq!(connection.read(&mut [0]).await.unwrap(), 0);
    }
}
