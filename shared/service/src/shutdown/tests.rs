use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use super::Shutdown;

#[tokio::test]
async fn every_clone_sees_the_wish() {
    let shutdown = Shutdown::new();
    let waiting = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { shutdown.requested().await }
    });
    assert!(!shutdown.is_requested());
    shutdown.clone().request();
    waiting.await.unwrap();
    shutdown.requested().await;
    assert!(shutdown.is_requested());
}

/// Not a test by itself: the process that the tests below send signals to. It says `ready`, drains on the
/// first signal saying `draining`, and then never ends by itself when `HANG` is set.
#[test]
#[ignore = "run as a child by the signal tests"]
fn child() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals().unwrap();
        writeln!(std::io::stderr(), "ready").unwrap();
        shutdown.requested().await;
        writeln!(std::io::stderr(), "draining").unwrap();
        if std::env::var_os("HANG").is_some() {
            std::future::pending::<()>().await;
        }
    });
    std::process::exit(0);
}

fn spawn(hang: bool) -> (Child, impl FnMut(&str)) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "shutdown::tests::child", "--ignored", "--nocapture", "--quiet"]);
    if hang {
        command.env("HANG", "1");
    }
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, move |wanted: &str| assert!(lines.any(|line| line.unwrap() == wanted), "`{wanted}` never came"))
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_signal_drains() {
    for signal in ["-TERM", "-INT"] {
        let (mut child, mut expect) = spawn(false);
        expect("ready");
        send(&child, signal);
        expect("draining");
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_second_signal_stops_at_once() {
    let (mut child, mut expect) = spawn(true);
    expect("ready");
    send(&child, "-TERM");
    expect("draining");
    send(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
