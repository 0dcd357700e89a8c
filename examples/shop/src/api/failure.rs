//! Answers other than the one asked for.

use axum::{
    Json,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Why a request is not answered as asked. The answer is JSON with the reason.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was sent is no order.
    Invalid(String),
    /// The id belongs to an order with other content.
    Conflict,
    /// There is no such order.
    Unknown,
    /// The queue is full.
    Busy,
    /// The database, or the code, failed. The reason goes to the log alone.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, reason) = match self {
            Self::Invalid(reason) => (StatusCode::UNPROCESSABLE_ENTITY, reason),
            Self::Conflict => (StatusCode::CONFLICT, "the id belongs to another order".into()),
            Self::Unknown => (StatusCode::NOT_FOUND, "there is no such order".into()),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too many orders wait".into()),
            Self::Failed(error) => {
                tracing::error!("a request failed: {error:#}");
                (StatusCode::SERVICE_UNAVAILABLE, "the shop cannot answer at the moment".into())
            }
        };
        let mut response = (status, Json(json!({ "error": reason }))).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, 1.into());
        }
        response
    }
}
