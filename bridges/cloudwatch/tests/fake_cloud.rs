//! The binary against a CloudWatch Logs on the wire.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails here fails")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use audit_fakes::aws::{Aws, AwsError, Fault, Operation};
use audit_fakes::program::{Program, await_true, text};
use audit_fakes::receiver::{self, Receiver};
use audit_fakes::traffic::Traffic;

const GROUP: &str = "/aws/eks/prod/cluster";

struct Cloud {
    aws: Aws,
    receiver: Receiver,
    folder: tempfile::TempDir,
}

impl Cloud {
    fn new() -> Self {
        let aws = Aws::start();
        aws.set_quota(None);
        Self { aws, receiver: Receiver::start(), folder: tempfile::tempdir().unwrap() }
    }

    /// Puts `count` events of ten minutes ago into two audit streams.
    fn fill(&self, seed: u64, count: usize) {
        self.put(seed, count, self.aws.now_ms() - 600_000);
    }

    /// The same of now.
    fn go_on(&self, seed: u64, count: usize) {
        self.put(seed, count, self.aws.now_ms());
    }

    fn put(&self, seed: u64, count: usize, start: i64) {
        let group = self.aws.group(GROUP);
        let streams = [group.stream("kube-apiserver-audit-01"), group.stream("kube-apiserver-audit-02")];
        let mut traffic = Traffic::new(seed);
        for index in 0..count {
            // Many at one millisecond.
            let time = start + index as i64 / 50;
            streams[index % 2].put(time, &traffic.line(time).text);
        }
    }

    fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloudwatch-bridge"));
        let checkpoint = format!("file:{}", self.folder.path().join("checkpoints").display());
        command
            .args(["--cluster", "prod", "--region", "eu-central-1", "--endpoint-url", &self.aws.endpoint()])
            .args(["--receiver-url", &self.receiver.url(), "--checkpoint", &checkpoint])
            .args(["--admin-listen", "127.0.0.1:0", "--poll-interval", "100ms"])
            .args(flags)
            .env_clear()
            .env("AWS_ACCESS_KEY_ID", "AKIAFAKE")
            .env("AWS_SECRET_ACCESS_KEY", "fake")
            .env("KAB_REQUESTS_PER_SECOND", "100")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    fn once(&self) -> Output {
        self.command(&["run", "--once"]).output().unwrap()
    }
}

#[test]
fn once_reads_up_to_now_and_goes_on_from_there() {
    let cloud = Cloud::new();
    cloud.aws.set_paging(|paging| {
        paging.events = 200;
        paging.empty_every = 3;
        paging.trailing_token = true;
    });
    cloud.fill(1, 1500);
    let group = cloud.aws.group(GROUP);
    group.stream("authenticator-01").put(cloud.aws.now_ms() - 1000, "time=now level=info");
    group.stream("kube-apiserver-01").put(cloud.aws.now_ms() - 1000, "I1123 log line");
    let output = cloud.once();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let arrived = cloud.receiver.arrived();
    assert_eq!(cloud.receiver.len(), 1500);
    assert!(arrived.values().all(|times| *times == 1));
    let event = cloud.receiver.events().remove(0);
    assert_eq!(event["annotations"]["cluster_name"], "prod");
    assert_eq!(event["annotations"]["cluster_id"], "arn:aws:eks:eu-central-1:111122223333:cluster/prod");
    let shown = cloud.command(&["checkpoint", "show"]).output().unwrap();
    assert!(text(&shown.stdout).contains(r#""unit":"cloudwatch:eu-central-1:/aws/eks/prod/cluster""#));
}

#[test]
fn faults_of_every_kind_lose_nothing() {
    let cloud = Cloud::new();
    cloud.aws.set_paging(|paging| {
        paging.events = 100;
        paging.empty_every = 4;
    });
    cloud.fill(2, 1000);
    let error = |error| Fault::Error(error);
    cloud.aws.fail_randomly(
        7,
        150,
        vec![
            error(AwsError::throttling()),
            error(AwsError::unavailable()),
            error(AwsError::internal()),
            error(AwsError::expired_token()),
            error(AwsError::unrecognized_client()),
            Fault::Close,
            Fault::Cut,
        ],
    );
    for code in [503, 429, 500, 302] {
        cloud.receiver.refuse_next(receiver::status(code, None));
    }
    cloud.receiver.keep_next(receiver::status(500, None));
    let bridge = Program::start(cloud.command(&["--sweeps", "0s,5s"]));
    cloud.receiver.wait_for(1000);
    cloud.go_on(3, 500);
    cloud.receiver.wait_for(1000 + 500);
    assert_eq!(bridge.stop(), 0);
}

#[test]
fn a_group_that_appears_and_a_permission_that_is_granted_later_show_in_readiness() {
    let cloud = Cloud::new();
    let bridge = Program::start(cloud.command(&["--sweeps", "0s"]));
    await_true("the group to be missed", || bridge.ready().contains("aws eks update-cluster-config"));
    let resource = "arn:aws:logs:eu-central-1:111122223333:log-group:/aws/eks/prod/cluster";
    let denied = AwsError::access_denied(Operation::FilterLogEvents, "arn:aws:iam::1:role/a", resource);
    cloud.aws.fail_always(Operation::FilterLogEvents, Some(Fault::Error(denied)));
    await_true("the permission to be missed", || {
        bridge.ready().contains(r#""Action":"logs:FilterLogEvents""#)
    });
    cloud.aws.heal();
    cloud.fill(4, 100);
    cloud.receiver.wait_for(100);
    await_true("readiness", || bridge.ready().ends_with("ok\n"));
    let metrics = bridge.get("admin", "/metrics");
    assert!(metrics.contains("cloudwatch_bridge_requests_total{unit="), "{metrics}");
    assert_eq!(bridge.stop(), 0);
}

#[test]
fn credentials_that_die_before_their_time_are_fetched_anew() {
    let cloud = Cloud::new();
    cloud.aws.require_issued_credentials();
    cloud.fill(5, 100);
    let token = cloud.folder.path().join("token");
    std::fs::write(&token, "a web identity").unwrap();
    let mut command = cloud.command(&["--sweeps", "0s,5s"]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_ENDPOINT_URL", cloud.aws.endpoint())
        .env("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/reader")
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    let bridge = Program::start(command);
    cloud.receiver.wait_for(100);
    cloud.aws.expire_credentials();
    cloud.go_on(6, 100);
    cloud.receiver.wait_for(200);
    assert_eq!(bridge.stop(), 0);
}

#[test]
fn a_kill_loses_nothing() {
    let cloud = Cloud::new();
    let mut total = 0;
    for round in 0..3 {
        let bridge = Program::start(cloud.command(&["--sweeps", "0s,1m"]));
        cloud.go_on(10 + round, 400);
        total += 400;
        cloud.receiver.wait_for(if round == 2 { total } else { total - 300 });
        bridge.kill();
    }
}

#[test]
fn check_says_what_mends_it() {
    let cloud = Cloud::new();
    let check = |flags: &[&str]| {
        let output = cloud.command(flags).output().unwrap();
        (output.status.code().unwrap(), text(&output.stdout))
    };
    let (code, report) = check(&["check"]);
    assert_eq!(code, 1, "{report}");
    assert!(report.contains("[fail]") && report.contains("aws eks update-cluster-config"), "{report}");
    cloud.fill(8, 50);
    let (code, report) = check(&["check"]);
    assert_eq!(code, 0, "{report}");
    assert!(!report.contains("[fail]") && report.contains("canary"), "{report}");
    let (code, report) = check(&["check", "--offline", "--format", "json"]);
    assert_eq!(code, 0);
    assert!(report.starts_with(r#"{"name":"configuration","outcome":"ok""#), "{report}");
}

#[test]
fn heads_of_cut_events_are_salvaged_and_other_pieces_quarantined() {
    let cloud = Cloud::new();
    let stream = cloud.aws.group(GROUP).stream("kube-apiserver-audit-01");
    let now = cloud.aws.now_ms();
    let head = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x","requ[Truncated...]"#;
    let no_head = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","aud[Truncated...]"#;
    for piece in [head, no_head, r#"estURI":"/api"}"#] {
        stream.put(now - 2000, piece);
    }
    let quarantine = cloud.folder.path().join("quarantine");
    let mut command = cloud.command(&["run", "--once"]);
    command.env("KAB_QUARANTINE", format!("file:{}", quarantine.display()));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let kept = std::fs::read_to_string(quarantine).unwrap();
    assert!(kept.contains("piece of an event") && kept.contains("tail of an event"), "{kept}");
    assert_eq!(kept.lines().count(), 2);
    assert_eq!(cloud.receiver.events()[0]["annotations"]["audit.k8s.io/truncated"], "true");
}

#[test]
fn convert_reads_raw_records() {
    let line = Traffic::new(9).line(1_763_872_804_745).text;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records");
    std::fs::write(&file, format!("{line}\ncut\n")).unwrap();
    let run = |file: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloudwatch-bridge"));
        command.args(["convert", "--cluster", "prod", "--region", "eu-central-1"]).arg(file).output().unwrap()
    };
    let output = run(&file);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout).lines().count(), 1);
    assert!(text(&output.stdout).contains(r#""cluster_name":"prod""#));
    assert!(
        text(&output.stderr).starts_with(&format!("{}:2: broken JSON", file.display())),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_checkpoint_can_be_set_and_is_not_lost_silently() {
    let cloud = Cloud::new();
    cloud.fill(11, 10);
    let set = cloud.command(&["checkpoint", "set", "2026-01-01T00:00:00Z"]).output().unwrap();
    assert!(set.status.success(), "{}", text(&set.stderr));
    assert!(text(&set.stdout).contains(r#""to":"2026-01-01T00:00:00.000Z""#), "{}", text(&set.stdout));
    let json = std::fs::read_dir(cloud.folder.path().join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let json = json.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
    std::fs::remove_file(&json).unwrap();
    let output = cloud.once();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("checkpoint set"), "{}", text(&output.stderr));
    assert!(cloud.receiver.is_empty());
}

#[test]
fn aws_is_asked_through_the_proxy_that_the_environment_names() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudwatch-bridge"));
    command
        .args([
            "check",
            "--cluster",
            "prod",
            "--region",
            "eu-central-1",
            "--receiver-url",
            "http://127.0.0.1:1",
        ])
        .env_clear()
        .env("AWS_ACCESS_KEY_ID", "AKIAFAKE")
        .env("AWS_SECRET_ACCESS_KEY", "fake")
        .env("HTTPS_PROXY", format!("http://{}", proxy.local_addr().unwrap()))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(proxy.accept().unwrap().0).read_line(&mut line).unwrap();
    drop(proxy);
    assert!(line.starts_with("CONNECT sts.eu-central-1.amazonaws.com:443 "), "{line}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
