//! How the bridge comes by its credentials, and what it does when they end.

use audit_fakes::aws::{Aws, AwsError, Fault, Operation};

use crate::harness::{Bridge, Cloud, Receiver, becomes, eventually, now_ms, seed};
use crate::pipeline::{GROUP, STREAM, cloud, expected, recent};

fn between(aws: &Aws, receiver: &Receiver) -> Cloud {
    Cloud { endpoint: aws.endpoint(), receiver: receiver.url() }
}

#[test]
fn a_service_account_token_is_exchanged_and_expired_credentials_are_renewed() {
    let lines = recent(seed("web identity"), 300);
    let (before, after) = lines.split_at(150);
    let aws = cloud(before);
    aws.require_issued_credentials();
    aws.require_token("fake.service-account.token");
    let receiver = Receiver::start();
    let token = receiver.folder().join("token");
    std::fs::write(&token, "fake.service-account.token").unwrap();
    let role = "arn:aws:iam::111122223333:role/audit-reader";
    let _bridge = Bridge::new(&between(&aws, &receiver))
        .env(&[("AWS_ROLE_ARN", role), ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap())])
        .started();
    becomes("alerts", &expected(before), || receiver.raised());

    aws.expire_credentials();
    let refused = || aws.calls().iter().any(|call| call.error.as_deref() == Some("ExpiredTokenException"));
    eventually("a refusal", || refused().then_some(()));
    let stream = aws.group(GROUP).stream(STREAM);
    after.iter().for_each(|line| drop(stream.put(line.at_ms.max(now_ms()), &line.text)));
    becomes("alerts after the renewal", &expected(&lines), || receiver.raised());
    assert!(aws.count(Operation::AssumeRoleWithWebIdentity) >= 2);
}

#[test]
fn pod_identity_gives_credentials() {
    let lines = recent(seed("pod identity"), 200);
    let aws = cloud(&lines);
    aws.require_issued_credentials();
    aws.require_token("fake.pod-identity.token");
    let receiver = Receiver::start();
    let token = receiver.folder().join("token");
    std::fs::write(&token, "fake.pod-identity.token").unwrap();
    let uri = format!("{}/v1/credentials", aws.endpoint());
    let _bridge = Bridge::new(&between(&aws, &receiver))
        .env(&[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap()),
        ])
        .started();
    becomes("alerts", &expected(&lines), || receiver.raised());
}

#[test]
fn a_permission_that_is_granted_later_is_used() {
    let lines = recent(seed("granted later"), 200);
    let aws = cloud(&lines);
    let resource = format!("arn:aws:logs:eu-central-1:111122223333:log-group:{GROUP}:log-stream:");
    let caller = "arn:aws:iam::111122223333:user/audit-reader";
    let denied = AwsError::access_denied(Operation::FilterLogEvents, caller, &resource);
    aws.fail_always(Operation::FilterLogEvents, Some(Fault::Error(denied)));
    let receiver = Receiver::start();
    let mut bridge = Bridge::new(&between(&aws, &receiver)).started();
    eventually("a word about the permission", || {
        bridge.program().stderr().iter().any(|line| line.contains("logs:FilterLogEvents")).then_some(())
    });
    aws.heal();
    becomes("alerts", &expected(&lines), || receiver.raised());
}
