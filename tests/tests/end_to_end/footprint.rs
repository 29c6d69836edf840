//! What the pods take while nothing happens: their images and their processes.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use audit_fakes::aws::Aws;
use audit_fakes::azure::EventHubs;
use audit_fakes::gcp::Gcp;
use tempfile::TempDir;

use crate::harness::{Measure, Program, RECEIVER, Receiver, table, tested};
use crate::pipeline::{GROUP, STREAM};

const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

#[test]
#[ignore = "measures, for SECONDS; release binaries by TESTED_BINARIES"]
fn what_images_and_idle_processes_take() {
    let seconds = std::env::var("SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let (aws, gcp, hubs) = (Aws::start(), Gcp::start(), EventHubs::start());
    aws.group(GROUP).stream(STREAM);
    hubs.hub("audit", 4);
    let sink = Receiver::start();
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("string"), hubs.connection_string("audit")).unwrap();

    // As the chart starts them: with the defaults, and the rules that are built in.
    let mut receiver = Command::new(tested(RECEIVER));
    receiver.args(["serve", "--listen", "127.0.0.1:0", "--store", &format!("sqlite:{}", path("store.db"))]);
    let mut cloudwatch = Command::new(tested(env!("CARGO_BIN_EXE_tested-cloudwatch-bridge")));
    cloudwatch
        .args(["run", "--log-group", GROUP, "--region", "eu-central-1", "--endpoint-url", &aws.endpoint()])
        .envs([("AWS_ACCESS_KEY_ID", "AKIAFAKE"), ("AWS_SECRET_ACCESS_KEY", "fake")])
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let mut stackdriver = Command::new(tested(env!("CARGO_BIN_EXE_tested-stackdriver-bridge")));
    stackdriver.args(["run", "--endpoint-url", &gcp.endpoint(), "--metadata-url", &gcp.endpoint()]);
    let mut eventhub = Command::new(tested(env!("CARGO_BIN_EXE_tested-eventhub-bridge")));
    eventhub.arg("run").env("KAB_CONNECTION_STRING_FILE", path("string"));
    for (name, bridge) in [("a", &mut cloudwatch), ("b", &mut stackdriver), ("c", &mut eventhub)] {
        bridge.args(["--receiver-url", &sink.url(), "--checkpoint", &format!("file:{}", path(name))]);
    }

    let measure = Measure::start();
    let mut commands = [receiver, cloudwatch, stackdriver, eventhub];
    let running: Vec<Program> = commands
        .iter_mut()
        .map(|command| {
            let mut program = Program::start(command.args(["--admin-listen", "127.0.0.1:0"]));
            program.listening("admin");
            measure.follow(&name(command), program.id());
            program
        })
        .collect();
    thread::sleep(Duration::from_secs(seconds));
    let rows = commands.iter().map(|command| {
        let binary = Path::new(command.get_program());
        let size = std::fs::metadata(binary).unwrap().len();
        let authorities = std::fs::metadata(AUTHORITIES).map_or(0, |file| file.len());
        let taken = measure.taken(&name(command));
        let linked = if is_static(binary) { "static" } else { "dynamic" };
        vec![
            name(command),
            linked.to_owned(),
            mib(size),
            mib(size + authorities),
            mib(zipped(binary)),
            mib(taken.memory),
            mib(taken.peak),
        ]
    });
    let head = ["binary", "linked", "MiB", "image MiB", "zipped MiB", "idle MiB", "peak MiB"];
    table(&head, &rows.collect::<Vec<_>>());
    drop(running);
}

fn name(command: &Command) -> String {
    let file = Path::new(command.get_program()).file_name().unwrap().to_str().unwrap();
    file.trim_start_matches("tested-").to_owned()
}

/// What a registry sends of it, about.
fn zipped(binary: &Path) -> u64 {
    let counted = Command::new("sh").args(["-c", "gzip -c \"$0\" | wc -c"]).arg(binary).output().unwrap();
    String::from_utf8(counted.stdout).unwrap().trim().parse().unwrap()
}

/// Whether an ELF file of 64 bits asks for no interpreter, the loader of shared libraries.
fn is_static(binary: &Path) -> bool {
    const INTERPRETER: usize = 3;
    let bytes = std::fs::read(binary).unwrap();
    let number = |at: usize, length: usize| {
        bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count).all(|entry| number(table + entry * size, 4) != INTERPRETER)
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}
