//! The responses of probes as JSON.

use crate::{client::get_with, service::Service};

#[tokio::test]
async fn a_client_that_prefers_json_gets_every_item_as_json() {
    let service = Service::start(|http| http.check("data\"base", || async { anyhow::bail!("no") }));
    let accept = |value| [("Accept", value)];
    let asked = accept("application/json");
    let response = get_with(service.address, "/readyz?exclude=missing", &asked).await;
    assert_eq!((response.status, response.header("content-type")), (503, Some("application/json")));
    assert_eq!(response.header("vary"), Some("Accept"));
    let value: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    let expected = serde_json::json!({
        "probe": "readyz", "passed": false, "unknown": ["missing"],
        "checks": [
            {"name": "data\"base", "passed": false, "reason": "reason withheld"},
            {"name": "manager", "passed": true, "reason": null},
        ],
    });
    assert_eq!(value, expected);
    for (target, accept_value, is_json) in [
        ("/livez", "*/*", false),
        ("/livez", "text/plain, application/json", false),
        ("/livez", "application/json, text/plain;q=0.5", true),
        ("/livez?format=json", "*/*", true),
        ("/livez?format=text", "application/json", false),
    ] {
        let response = get_with(service.address, target, &accept(accept_value)).await;
        let is = response.header("content-type") == Some("application/json");
        assert_eq!(is, is_json, "{target} {accept_value}");
    }
    service.stop().await;
}
