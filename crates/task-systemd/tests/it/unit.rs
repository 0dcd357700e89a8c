//! The printed unit. That systemd accepts it is shown by `cargo xtask systemd`.

use std::time::Duration;

use task_systemd::Unit;

use crate::fake::secs;

#[test]
fn the_numbers_fit_those_of_the_service() {
    let text = Unit::new("orders", "/usr/bin/orders")
        .shutdown_timeout(Duration::from_millis(20_500))
        .start_timeout(secs(40))
        .watchdog(secs(10))
        .stored_sockets(2)
        .print()
        .unwrap();
    for line in
        ["TimeoutStopSec=23", "TimeoutStartSec=40", "WatchdogSec=10", "FileDescriptorStoreMax=2"]
    {
        assert!(text.lines().any(|found| found == line), "no {line} in {text}");
    }
    let default = Unit::new("orders", "/usr/bin/orders").print().unwrap();
    assert!(default.contains("\nTimeoutStopSec=27\n"), "{default}");
    assert!(!default.contains("WatchdogSec") && !default.contains("FileDescriptorStoreMax"));
}

#[test]
fn words_with_a_meaning_are_quoted() {
    let text = Unit::new("orders", "/usr/bin/orders")
        .description("50 % of orders")
        .argument("--name=a b")
        .argument("100%")
        .argument("$HOME \"x\" \\")
        .argument("")
        .environment("LEVEL", "a b$c")
        .print()
        .unwrap();
    let expected = r#"ExecStart=/usr/bin/orders "--name=a b" 100%% "$$HOME \"x\" \\" """#;
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("Description=50 %% of orders\n"), "{text}");
    assert!(text.contains("Environment=\"LEVEL=a b$c\"\n"), "{text}");
}

#[test]
fn each_socket_has_a_file_that_names_the_service() {
    let unit = Unit::new("orders", "/usr/bin/orders")
        .socket("http", "0.0.0.0:8080")
        .socket("admin", "/run/orders.sock");
    let files = unit.files().unwrap();
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["orders.service", "orders-http.socket", "orders-admin.socket"]);
    assert!(files[0].1.contains("Sockets=orders-http.socket\nSockets=orders-admin.socket\n"));
    let expected = "ListenStream=0.0.0.0:8080\nFileDescriptorName=http\nService=orders.service\n";
    assert!(files[1].1.contains(expected), "{}", files[1].1);
}

#[test]
fn what_would_be_another_line_or_no_unit_is_an_error() {
    let unit = || Unit::new("orders", "/usr/bin/orders");
    let faulty = [
        Unit::new("", "/bin/x"),
        Unit::new("a/b", "/bin/x"),
        Unit::new("a\nb", "/bin/x"),
        Unit::new("a", "bin/x"),
        unit().description("a\nExecStart=/bin/sh"),
        unit().description("a\\"),
        unit().socket("a", "/run/a\\"),
        unit().credential("a", "/a\\"),
        unit().argument("a\0"),
        unit().environment("A", "b\nc"),
        unit().environment("A=B", "c"),
        unit().environment("1A", "c"),
        unit().user("a b"),
        unit().socket("a:b", "1"),
        unit().socket("a", " "),
        unit().socket("a", "1\nExecStartPre=/bin/sh"),
        unit().credential("a", "relative"),
        unit().credential("a:b", "/c"),
        unit().shutdown_timeout(Duration::ZERO),
        unit().start_timeout(Duration::ZERO),
        unit().watchdog(Duration::from_millis(999)),
    ];
    for unit in faulty {
        let error = unit.print().unwrap_err();
        assert!(error.is_setting(), "{unit:?}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    let long = unit().shutdown_timeout(Duration::from_secs(u64::MAX)).print().unwrap();
    assert!(long.contains("\nTimeoutStopSec=3153600000\n"), "{long}");
}
