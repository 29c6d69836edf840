//! `cloudwatch-bridge check`: what stands between a configuration and a running bridge, and what mends it.

use audit_fakes::aws::{Aws, AwsError, Fault, Operation};
use audit_fakes::receiver::{Receiver as Scripted, status};
use serde_json::Value;

use crate::harness::{Bridge, Cloud, Receiver};
use crate::pipeline::{GROUP, cloud, recent};

const ROLE: &str = "arn:aws:iam::111122223333:role/audit-reader";

/// Of the issuer `https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF`, for the service account
/// `cloudwatch-bridge` in the namespace `audit` and the audience `sts.amazonaws.com`.
const TOKEN: &str = concat!(
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImZha2UifQ.eyJpc3MiOiJodHRwczovL29pZGMuZWtzLmV1LWNlbnRyYWwtMS5hbWF6b25hd",
    "3MuY29tL2lkLzAxMjM0NTY3ODlBQkNERUYiLCJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6YXVkaXQ6Y2xvdWR3YXRjaC1ic",
    "mlkZ2UiLCJhdWQiOlsic3RzLmFtYXpvbmF3cy5jb20iXSwiZXhwIjo0MTAyNDQ0ODAwfQ.ZmFrZQ"
);

/// The exit code, and of each finding its outcome with what was found and what mends it.
fn check(bridge: &Bridge) -> (Option<i32>, Vec<(String, String)>) {
    let ended = bridge.check();
    let findings = ended.stdout.lines().map(|line| {
        let finding: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
        (finding["outcome"].as_str().unwrap().to_owned(), line.to_owned())
    });
    (ended.code, findings.collect())
}

/// Checks, and gives the one finding that is not ok.
#[track_caller]
fn the_trouble(bridge: &Bridge, outcome: &str) -> String {
    let (code, findings) = check(bridge);
    assert_eq!(code, Some(i32::from(outcome == "fail")), "{findings:?}");
    let mut troubles: Vec<_> = findings.into_iter().filter(|(outcome, _)| outcome != "ok").collect();
    assert_eq!(troubles.len(), 1, "{troubles:?}");
    let (found, line) = troubles.remove(0);
    assert_eq!(found, outcome, "{line}");
    line
}

fn bridge(aws: &Aws, receiver: &str) -> Bridge {
    Bridge::new(&Cloud { endpoint: aws.endpoint(), receiver: receiver.to_owned() }).at_ease()
}

#[test]
fn all_well_and_the_canary_is_evaluated() {
    let aws = cloud(&recent(1, 50));
    let receiver = Receiver::start();
    let (code, findings) = check(&bridge(&aws, &receiver.url()));
    assert_eq!(code, Some(0), "{findings:?}");
    assert!(findings.iter().all(|(outcome, _)| outcome == "ok"), "{findings:?}");
    assert_eq!(receiver.metric("audit_receiver_evaluated_total", ""), 1.0);
    assert!(receiver.raised().is_empty());
}

#[test]
fn a_missing_permission_is_named() {
    let aws = cloud(&recent(1, 5));
    let denied =
        AwsError::access_denied(Operation::FilterLogEvents, "arn:aws:iam::1:user/a", "arn:aws:logs:x");
    aws.fail_always(Operation::FilterLogEvents, Some(Fault::Error(denied)));
    let receiver = Scripted::start();
    let line = the_trouble(&bridge(&aws, &receiver.url()), "fail");
    assert!(line.contains("logs:FilterLogEvents"), "{line}");
}

#[test]
fn a_log_group_that_is_not_there_is_told_with_the_command_that_makes_one() {
    let aws = Aws::start();
    let receiver = Scripted::start();
    let line = the_trouble(&bridge(&aws, &receiver.url()), "fail");
    assert!(line.contains("update-cluster-config"), "{line}");
    aws.group(GROUP);
    let line = the_trouble(&bridge(&aws, &receiver.url()), "fail");
    assert!(line.contains("logging is off") && line.contains("update-cluster-config"), "{line}");
}

#[test]
fn a_trust_policy_that_does_not_take_the_service_account_is_told() {
    let aws = cloud(&recent(1, 5));
    let denied = Fault::Error(AwsError::web_identity_denied());
    aws.fail_always(Operation::AssumeRoleWithWebIdentity, Some(denied));
    let receiver = Scripted::start();
    let token = service_account_token();
    let token = token.path().to_str().unwrap();
    let bridge =
        bridge(&aws, &receiver.url()).env(&[("AWS_ROLE_ARN", ROLE), ("AWS_WEB_IDENTITY_TOKEN_FILE", token)]);
    let line = the_trouble(&bridge, "fail");
    assert!(
        line.contains("trust policy") && line.contains("system:serviceaccount:audit:cloudwatch-bridge"),
        "{line}"
    );
}

#[test]
fn a_receiver_that_does_not_take_us_is_told() {
    let aws = cloud(&recent(1, 5));
    let receiver = Scripted::start();
    receiver.refuse_always(Some(status(401, None)));
    let line = the_trouble(&bridge(&aws, &receiver.url()), "fail");
    assert!(line.contains("401") && line.contains("auth.tokens"), "{line}");
}

/// A service account token, as far as anybody but STS looks into it.
fn service_account_token() -> tempfile::NamedTempFile {
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&token, TOKEN).unwrap();
    token
}

fn print(situation: &str, bridge: &Bridge) {
    let ended = bridge.check_for_people();
    println!("--- {situation}: exit code {}\n{}{}", ended.code.unwrap(), ended.stdout, ended.stderr);
}

#[test]
#[ignore = "prints what check says, for people to judge"]
fn what_an_operator_reads() {
    let receiver = Receiver::start();
    let well = || cloud(&recent(1, 5000));
    let pod = [("AWS_ROLE_ARN", ROLE)];
    let token = service_account_token();
    let irsa = |aws: &Aws, receiver: &str| {
        let file = [("AWS_WEB_IDENTITY_TOKEN_FILE", token.path().to_str().unwrap())];
        bridge(aws, receiver).env(&[pod, file].concat())
    };
    let url = receiver.url();
    print("all well", &irsa(&well(), &url));

    let aws = well();
    let caller = "arn:aws:sts::111122223333:assumed-role/audit-reader/cloudwatch-bridge";
    let resource = format!("arn:aws:logs:eu-central-1:111122223333:log-group:{GROUP}:log-stream:");
    let denied = AwsError::access_denied(Operation::FilterLogEvents, caller, &resource);
    aws.fail_always(Operation::FilterLogEvents, Some(Fault::Error(denied)));
    print("no permission", &irsa(&aws, &url));

    let aws = well();
    let denied = Fault::Error(AwsError::web_identity_denied());
    aws.fail_always(Operation::AssumeRoleWithWebIdentity, Some(denied));
    print("wrong trust policy", &irsa(&aws, &url));

    let aws = well();
    aws.require_token("of another provider");
    print("provider not registered", &irsa(&aws, &url));

    print("audit logging never on", &irsa(&Aws::start(), &url));
    let aws = Aws::start();
    aws.group(GROUP).stream("authenticator-01").put(aws.now_ms(), "time=now level=info");
    print("audit logging off", &irsa(&aws, &url));

    let folder = tempfile::tempdir().unwrap();
    let (tokens, config) = (folder.path().join("tokens"), folder.path().join("receiver.yaml"));
    std::fs::write(&tokens, "right\n").unwrap();
    std::fs::write(&config, format!("auth: {{tokens: [{{file: {}, cluster: demo}}]}}\n", tokens.display()))
        .unwrap();
    let strict = Receiver::start_with(&["--config", config.to_str().unwrap()]);
    let wrong = folder.path().join("token");
    std::fs::write(&wrong, "wrong").unwrap();
    let aws = well();
    let with_token = irsa(&aws, &strict.url()).set("KAB_RECEIVER__TOKEN_FILE", wrong.to_str().unwrap());
    print("receiver token wrong", &with_token);
    print("receiver not there", &irsa(&well(), "http://127.0.0.1:9/k8s_audit"));
}
