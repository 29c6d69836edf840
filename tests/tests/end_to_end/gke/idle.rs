//! What reading Cloud Logging costs while there is nothing to read, measured at the pace that a bridge has by itself.

use std::thread;
use std::time::Duration;

use audit_fakes::gcp::{self, Gcp, Operation};
use tempfile::{NamedTempFile, TempDir};

use super::BRIDGE;
use crate::harness::{Measure, Program, Receiver, number, table, tested};

/// Read requests a minute that a project has.
const QUOTA: u32 = 60;
/// Until the first hour, which is read at the start, is behind a bridge.
const SETTLING: Duration = Duration::from_secs(30);

/// A bridge that reads so many clusters of one project; 0 is every cluster as one source.
struct Reader {
    clusters: u64,
    gcp: Gcp,
    _folder: TempDir,
    _config: NamedTempFile,
    program: Program,
}

impl Reader {
    fn new(clusters: u64, receiver: &Receiver) -> Self {
        let gcp = Gcp::start();
        gcp.set_quota(Some(QUOTA));
        let source = |cluster: &str| format!("  - {{project: {}, cluster: '{cluster}'}}\n", gcp::PROJECT);
        let sources: String = match clusters {
            0 => source("*"),
            count => (0..count).map(|number| source(&format!("cluster-{number}"))).collect(),
        };
        let config = NamedTempFile::with_suffix(".yaml").unwrap();
        std::fs::write(&config, format!("sources:\n{sources}")).unwrap();
        let folder = TempDir::new().unwrap();
        let checkpoint = format!("file:{}", folder.path().display());
        let mut command = std::process::Command::new(tested(BRIDGE));
        command
            .env_clear()
            .args(["--config", config.path().to_str().unwrap(), "--checkpoint", &checkpoint])
            .args(["--endpoint-url", &gcp.endpoint(), "--metadata-url", &gcp.endpoint()])
            .args(["--receiver-url", &receiver.url(), "--admin-listen", "127.0.0.1:0"]);
        let mut program = Program::start(&mut command);
        program.listening("admin");
        Self { clusters, gcp, _folder: folder, _config: config, program }
    }
}

#[test]
#[ignore = "a measurement over IDLE seconds (90 unless told)"]
fn idle_clusters_of_one_project_share_its_quota() {
    let window = Duration::from_secs(number("IDLE", 90));
    let receiver = Receiver::start();
    let readers = [0, 1, 3, 6].map(|clusters| Reader::new(clusters, &receiver));
    let measure = Measure::start();
    readers.iter().for_each(|reader| measure.follow(&name(reader.clusters), reader.program.id()));
    thread::sleep(SETTLING);
    let asked = || readers.each_ref().map(|reader| reader.gcp.count(Operation::EntriesList));
    let before = asked();
    thread::sleep(window);
    let after = asked();
    let rows: Vec<Vec<String>> = readers
        .iter()
        .zip(before.iter().zip(after))
        .map(|(reader, (before, after))| {
            let a_minute = (after - before) as f64 * 60.0 / window.as_secs_f64();
            let throttled =
                reader.gcp.calls().iter().filter(|call| call.error == Some("RESOURCE_EXHAUSTED")).count();
            assert!(a_minute <= f64::from(QUOTA), "{a_minute} a minute for {}", name(reader.clusters));
            let memory = measure.taken(&name(reader.clusters)).memory as f64 / f64::from(1 << 20);
            vec![
                name(reader.clusters),
                (after - before).to_string(),
                format!("{a_minute:.1}"),
                throttled.to_string(),
                format!("{memory:.1}"),
            ]
        })
        .collect();
    println!(
        "\nidle for {} s with the default sweeps, of {QUOTA} read requests a minute of the project:",
        window.as_secs()
    );
    table(&["clusters of one project", "entries:list", "a minute", "429", "MiB"], &rows);
}

fn name(clusters: u64) -> String {
    match clusters {
        0 => "all, as one source".to_owned(),
        count => count.to_string(),
    }
}
