//! Passed sockets and credentials: a child process per scenario, since they come with a process.

use std::{
    env, fs,
    net::{TcpListener, TcpStream, UdpSocket},
    os::unix::net::{UnixDatagram, UnixListener},
};

use task_systemd::{Environment, Listeners, SystemdTask, credential};

use crate::{
    child::{is_child, pass},
    fake::path,
};

#[test]
fn sockets_are_taken_by_name_and_type() {
    if is_child() {
        let mut listeners = Listeners::from_systemd();
        assert_eq!(listeners.names().collect::<Vec<_>>(), ["http", "admin"]);
        let error = listeners.tcp("admin").unwrap_err();
        assert!(error.is_socket());
        assert_eq!(error.to_string(), "socket `admin` is not a TCP socket that listens");
        assert!(listeners.unix("admin").unwrap().is_some());
        assert!(listeners.unix("admin").unwrap().is_none(), "it was taken");
        let http = listeners.tcp("http").unwrap().unwrap();
        let address = env::var("ADDRESS").unwrap();
        assert_eq!(http.local_addr().unwrap().to_string(), address);
        let error = http.accept().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "it does not block");
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(http.accept().unwrap().1, client.local_addr().unwrap());
        assert!(listeners.tcp("other").unwrap().is_none());
        listeners.finish().unwrap();
        assert!(env::var_os("LISTEN_FDS").is_none() && env::var_os("LISTEN_PID").is_none());
        assert_eq!(Listeners::from_systemd().names().count(), 0, "they are passed once");
        return;
    }
    let (http, path) = (TcpListener::bind("127.0.0.1:0").unwrap(), path());
    let address = http.local_addr().unwrap().to_string();
    let environment =
        [("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "http:admin"), ("ADDRESS", &address)];
    let admin = UnixListener::bind(&path).unwrap();
    let sockets = vec![http.into(), admin.into()];
    pass("listeners::sockets_are_taken_by_name_and_type", &environment, sockets);
    fs::remove_file(path).unwrap();
}

#[test]
fn sockets_of_one_name_come_one_after_the_other_and_others_are_datagrams() {
    if is_child() {
        let mut listeners = Listeners::from_systemd();
        assert_eq!(listeners.names().collect::<Vec<_>>(), ["log", "log"]);
        assert!(listeners.udp("log").unwrap().is_some());
        assert!(listeners.udp("log").unwrap_err().is_socket(), "the second is another kind");
        assert!(listeners.unix_datagram("log").unwrap().is_some());
        listeners.finish().unwrap();
        return;
    }
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (unix, _other) = UnixDatagram::pair().unwrap();
    let test = "listeners::sockets_of_one_name_come_one_after_the_other_and_others_are_datagrams";
    let environment = [("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "log:log")];
    pass(test, &environment, vec![udp.into(), unix.into()]);
}

#[test]
fn what_is_not_used_is_an_error_with_its_names() {
    if is_child() {
        let mut listeners = Listeners::from_systemd();
        assert!(listeners.tcp("http").unwrap().is_none());
        let error = listeners.finish().unwrap_err();
        assert!(error.is_socket());
        let expected = "sockets that were passed and are not used: `unknown`, `admin\\nREADY=1`";
        assert_eq!(error.to_string(), expected);
        return;
    }
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap().into());
    let environment = [("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", ":admin\nREADY=1")];
    let test = "listeners::what_is_not_used_is_an_error_with_its_names";
    pass(test, &environment, sockets.into());
}

#[test]
fn a_socket_that_does_not_listen_is_an_error() {
    if is_child() {
        let error = Listeners::from_systemd().tcp("http").unwrap_err();
        assert_eq!(error.to_string(), "socket `http` is not a TCP socket that listens");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let environment = [("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "http")];
    let test = "listeners::a_socket_that_does_not_listen_is_an_error";
    pass(test, &environment, vec![connection.into()]);
}

#[test]
fn sockets_of_another_process_are_none() {
    if is_child() {
        assert_eq!(Listeners::from_systemd().names().count(), 0);
        return;
    }
    // Without a descriptor the child's id is in LISTEN_PID, and LISTEN_FDS is no number.
    let environment = [("LISTEN_FDS", "many")];
    pass("listeners::sockets_of_another_process_are_none", &environment, Vec::new());
}

#[test]
fn credentials_are_read_from_their_folder() {
    if is_child() {
        assert_eq!(credential("token").unwrap().unwrap(), b"secret\n");
        assert_eq!(credential("absent").unwrap(), None);
        let error = credential("folder").unwrap_err();
        assert!(error.is_credential());
        assert_eq!(error.to_string(), "failed to read credential `folder`");
        assert!(credential("large").unwrap_err().is_credential());
        for name in ["", ".", "..", "a/b", "/token", "token/", "./token", "a\0b"] {
            assert!(credential(name).unwrap_err().is_setting(), "{name:?}");
        }
        return;
    }
    let folder = path();
    fs::create_dir_all(folder.join("folder")).unwrap();
    fs::write(folder.join("token"), "secret\n").unwrap();
    fs::write(folder.join("large"), vec![b'x'; (1 << 20) + 1]).unwrap();
    let environment = [("CREDENTIALS_DIRECTORY", folder.to_str().unwrap())];
    pass("listeners::credentials_are_read_from_their_folder", &environment, Vec::new());
    fs::remove_dir_all(folder).unwrap();
    assert_eq!(credential("token").unwrap(), None, "without a folder there are none");
}

#[test]
fn the_task_reads_the_environment_of_the_process() {
    if is_child() {
        let error = SystemdTask::new().unwrap_err();
        let expected = "WATCHDOG_USEC is `soon`, which is not a number above zero";
        assert_eq!(error.to_string(), expected);
        assert!(Environment::read().is_err_and(|error| error.is_environment()));
        return;
    }
    let environment = [("NOTIFY_SOCKET", "/run/none"), ("WATCHDOG_USEC", "soon")];
    let test = "listeners::the_task_reads_the_environment_of_the_process";
    pass(test, &environment, Vec::new());
}
