//! `cloudwatch-bridge check`: what stands between a configuration and a running bridge, and what mends it.

use audit_fakes::aws::{Aws, AwsError, Fault, Operation};
use audit_fakes::receiver::{Receiver as Scripted, status};
use serde_json::Value;

use crate::harness::{Bridge, Cloud, Receiver};
use crate::pipeline::{GROUP, cloud, recent};

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
    let line = the_trouble(&bridge(&aws, &receiver.url()), "warn");
    assert!(line.contains("update-cluster-config"), "{line}");
}

#[test]
fn a_trust_policy_that_does_not_take_the_service_account_is_told() {
    let aws = cloud(&recent(1, 5));
    let denied = Fault::Error(AwsError::web_identity_denied());
    aws.fail_always(Operation::AssumeRoleWithWebIdentity, Some(denied));
    let receiver = Scripted::start();
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&token, "fake.service-account.token").unwrap();
    let role = "arn:aws:iam::111122223333:role/audit-reader";
    let token = token.path().to_str().unwrap();
    let bridge =
        bridge(&aws, &receiver.url()).env(&[("AWS_ROLE_ARN", role), ("AWS_WEB_IDENTITY_TOKEN_FILE", token)]);
    let line = the_trouble(&bridge, "fail");
    assert!(line.contains("trust policy"), "{line}");
}

#[test]
fn a_receiver_that_does_not_take_us_is_told() {
    let aws = cloud(&recent(1, 5));
    let receiver = Scripted::start();
    receiver.refuse_always(Some(status(401, None)));
    let line = the_trouble(&bridge(&aws, &receiver.url()), "fail");
    assert!(line.contains("401"), "{line}");
}
