//! Every fault at once, measured.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use audit_fakes::Random;
use audit_fakes::aws::{Aws, AwsError, Call, Fault, Operation, Place, Stream};
use audit_fakes::gateway::{Gateway, Passed};
use audit_fakes::traffic::{Line, Traffic};
use tempfile::NamedTempFile;

use crate::harness::{Bridge, Cloud, Measure, Receiver, now_ms, number, seed, table};
use crate::pipeline::expected;

/// Raises an alert for each event: so every evaluation shows in the store.
pub(crate) const EVERY_EVENT: &str = "
- rule: Every event
  desc: Stands for the evaluation of one event
  condition: ka.auditid exists
  output: event (id=%ka.auditid)
  priority: DEBUG
  source: k8s_audit
";

/// Two clusters of one account and region, and one that is read in another account.
const SOURCES: &str = "
sources:
  - {cluster: shop, region: eu-central-1}
  - {cluster: bank, region: eu-central-1, log_group: /moved/audit}
  - {cluster: edge, region: us-east-1, role: 'arn:aws:iam::444455556666:role/audit-reader'}
";

/// Requests a second of each account and region that the bridge is given.
const BUDGET: &str = "4";

/// What was done to the two.
#[derive(Debug, Default)]
struct Done {
    bridge_kills: u32,
    receiver_kills: u32,
    tokens_expired: u32,
    credentials_expired: u32,
}

#[test]
#[ignore = "a measurement of EVENTS events (5000 unless told)"]
fn every_event_is_evaluated_and_every_alert_stands_once_whatever_goes_wrong() {
    let (seed, count) = (seed("faults"), number("EVENTS", 5000));
    let aws = Aws::start();
    let token = a_bad_day(&aws, seed, count);
    let every_event = NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(&every_event, EVERY_EVENT).unwrap();
    let rules = ["--rules", every_event.path().to_str().unwrap(), "--match", "all"];
    let mut receiver = Receiver::start_with(&rules);
    let gateway = Gateway::start(receiver.intake(), seed, 100);
    let cloud = Cloud { endpoint: aws.endpoint(), receiver: gateway.url() };
    let mut bridge = Bridge::new(&cloud)
        .sources(SOURCES)
        .sweeps("1s,10s,1m")
        .budget(BUDGET, "2s")
        .env(&[
            ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/audit-reader"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.path().to_str().unwrap()),
        ])
        .started();
    let measure = Measure::start();
    measure.follow("bridge", bridge.program().id());
    measure.follow("receiver", receiver.program().id());

    let (start, fed) = (Instant::now(), AtomicBool::new(false));
    let (lines, done) = thread::scope(|scope| {
        let feeding = scope.spawn(|| {
            let lines = feed(&aws, seed, count);
            fed.store(true, Ordering::Relaxed);
            lines
        });
        let done = disturb(&aws, &mut bridge, &mut receiver, &measure, seed, &fed);
        (feeding.join().expect("the feeder"), done)
    });
    let feeding = start.elapsed();
    let wanted = wanted(&lines);
    let raised = await_alerts(&receiver, wanted.len(), count);
    let whole = start.elapsed();
    assert_same(&raised, &wanted);

    println!("\nevery fault at once: {count} events into 3 log groups of 2 accounts, seed {seed}");
    let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
    let rate = format!("{:.0}", count as f64 / whole.as_secs_f64());
    table(
        &["events", "alerts", "fed in s", "evaluated in s", "events/s", "kills bridge", "kills receiver"],
        &[vec![
            count.to_string(),
            raised.len().to_string(),
            seconds(feeding),
            seconds(whole),
            rate,
            done.bridge_kills.to_string(),
            done.receiver_kills.to_string(),
        ]],
    );
    println!(
        "{} times all page tokens expired, {} times all credentials",
        done.tokens_expired, done.credentials_expired
    );
    print_calls(&aws.calls());
    print_deliveries(gateway.passed(), count);
    measure.print();
}

/// Sets everything up to fail; gives the file with the web identity token.
fn a_bad_day(aws: &Aws, seed: u64, count: u64) -> NamedTempFile {
    aws.require_issued_credentials();
    aws.require_token("fake.service-account.token");
    aws.set_credential_life(Duration::from_secs(60));
    aws.set_paging(|paging| {
        // So small in a small run that pages are cut all the same.
        paging.bytes = usize::try_from(count * 50).unwrap().min(1 << 20);
        (paging.empty_every, paging.trailing_token) = (4, true);
    });
    let faults = [
        Fault::Error(AwsError::throttling()),
        Fault::Error(AwsError::unavailable()),
        Fault::Error(AwsError::internal()),
        Fault::Error(AwsError::expired_token()),
        Fault::Error(AwsError::unrecognized_client()),
        Fault::Close,
        Fault::Cut,
        Fault::Late(Duration::from_millis(700)),
    ];
    aws.fail_randomly(seed, 80, faults.to_vec());
    aws.fail_next(Operation::FilterLogEvents, Fault::Hang);
    let token = NamedTempFile::new().unwrap();
    std::fs::write(&token, "fake.service-account.token").unwrap();
    token
}

/// Puts events of several clusters at a steady pace: out of order, many at one millisecond, some late, some readable only
/// after a while.
fn feed(aws: &Aws, seed: u64, count: u64) -> Vec<Line> {
    let far = Place { account: "444455556666".to_owned(), region: "us-east-1".to_owned() };
    let groups = [
        aws.group("/aws/eks/shop/cluster"),
        aws.group("/moved/audit"),
        aws.group_in(far, "/aws/eks/edge/cluster"),
    ];
    let streams: Vec<[Stream; 2]> = groups
        .iter()
        .map(|group| {
            [0, 3000].map(|delay| {
                let stream = group.stream(&format!("kube-apiserver-audit-{delay:032x}"));
                stream.set_delay(Duration::from_millis(delay));
                stream
            })
        })
        .collect();
    let mut random = Random::new(seed);
    let mut traffic: Vec<Traffic> =
        (0..groups.len() as u64).map(|number| Traffic::new(seed + number)).collect();
    let per_second = (count / 30).clamp(50, 1000);
    let start = Instant::now();
    let mut lines = Vec::new();
    for number in 0..count {
        let cluster = random.below(groups.len() as u64) as usize;
        let back = if random.chance(20) { random.below(20_000) } else { random.below(1500) };
        let line = traffic[cluster].line((now_ms() - back as i64) / 20 * 20);
        random.pick(&streams[cluster]).put(line.at_ms, &line.text);
        lines.push(line);
        let due = Duration::from_secs_f64(number as f64 / per_second as f64);
        thread::sleep(due.saturating_sub(start.elapsed()));
    }
    lines
}

/// Does something bad every few seconds, until all is fed.
fn disturb(
    aws: &Aws,
    bridge: &mut Bridge,
    receiver: &mut Receiver,
    measure: &Measure,
    seed: u64,
    fed: &AtomicBool,
) -> Done {
    let mut random = Random::new(seed ^ 0x6576_696c);
    let mut done = Done::default();
    for round in random.below(6).. {
        if fed.load(Ordering::Relaxed) {
            break;
        }
        // The moment is what is random here; there is nothing to wait for.
        thread::sleep(Duration::from_millis(300 + random.below(3000)));
        match round % 6 {
            0 => {
                bridge.restart();
                measure.follow("bridge", bridge.program().id());
                done.bridge_kills += 1;
            }
            1 => {
                receiver.restart();
                measure.follow("receiver", receiver.program().id());
                done.receiver_kills += 1;
            }
            2 => {
                aws.expire_page_tokens();
                done.tokens_expired += 1;
            }
            3 => {
                aws.expire_credentials();
                done.credentials_expired += 1;
            }
            // Other readers of the account take the rest.
            _ => aws.set_quota(Some(2 + random.below(4) as u32)),
        }
    }
    done
}

/// An alert for each event, and those of the rules that it is marked with.
pub(crate) fn wanted(lines: &[Line]) -> Vec<(String, String)> {
    let each = lines.iter().map(|line| (line.audit_id.clone(), "Every event".to_owned()));
    let mut wanted: Vec<_> = each.chain(expected(lines)).collect();
    wanted.sort();
    wanted
}

/// Waits until there are as many as that, asking the more rarely the longer an answer takes.
pub(crate) fn await_alerts(receiver: &Receiver, wanted: usize, count: u64) -> Vec<(String, String)> {
    let patience = Duration::from_secs(180 + count / 50);
    let start = Instant::now();
    loop {
        let asked = Instant::now();
        let raised = receiver.raised();
        if raised.len() >= wanted || start.elapsed() > patience {
            return raised;
        }
        thread::sleep((asked.elapsed() * 5).max(Duration::from_millis(200)));
    }
}

/// Alerts, as event and rule, are those that were wanted.
///
/// # Panics
/// When they are not; it tells the first that differs.
#[track_caller]
pub(crate) fn assert_same(raised: &[(String, String)], wanted: &[(String, String)]) {
    if raised != wanted {
        let differs = raised.iter().zip(wanted).position(|(raised, wanted)| raised != wanted);
        let place = differs.unwrap_or(raised.len().min(wanted.len()));
        panic!(
            "{} alerts, {} wanted: {:?} instead of {:?}",
            raised.len(),
            wanted.len(),
            raised.get(place),
            wanted.get(place)
        );
    }
}

/// What was asked of AWS, by account and kind.
fn print_calls(calls: &[Call]) {
    let mut kinds: BTreeMap<(String, String), Vec<&Call>> = BTreeMap::new();
    for call in calls {
        let key = (format!("{} {}", call.place.account, call.place.region), format!("{:?}", call.operation));
        kinds.entry(key).or_default().push(call);
    }
    let seconds = calls.last().map_or(0, |call| call.at_ms) - calls.first().map_or(0, |call| call.at_ms);
    let rows = kinds.into_iter().map(|((place, kind), calls)| {
        let failed = |codes: &[&str]| {
            let matching = |call: &&&Call| call.error.as_deref().is_some_and(|code| codes.contains(&code));
            calls.iter().filter(matching).count().to_string()
        };
        let mut by_second: BTreeMap<i64, u32> = BTreeMap::new();
        calls.iter().for_each(|call| *by_second.entry(call.at_ms / 1000).or_default() += 1);
        vec![
            place,
            kind,
            calls.len().to_string(),
            format!("{:.2}", calls.len() as f64 * 1000.0 / seconds.max(1) as f64),
            by_second.values().max().copied().unwrap_or(0).to_string(),
            failed(&["ThrottlingException"]),
            failed(&[
                "ExpiredTokenException",
                "ExpiredToken",
                "UnrecognizedClientException",
                "InvalidClientTokenId",
            ]),
            failed(&["InvalidParameterException"]),
            failed(&["ServiceUnavailableException", "InternalFailure"]),
            calls.iter().filter(|call| call.disturbed).count().to_string(),
            calls.iter().map(|call| call.events).sum::<usize>().to_string(),
        ]
    });
    println!(
        "calls, of a budget of {BUDGET}/s for each account and region, whose quota of FilterLogEvents went between 2 and 5/s:"
    );
    table(
        &[
            "account and region",
            "call",
            "calls",
            "a second",
            "most in a second",
            "throttled",
            "credentials",
            "tokens",
            "5xx",
            "cut or late",
            "events",
        ],
        &rows.collect::<Vec<_>>(),
    );
}

pub(crate) fn print_deliveries(passed: Passed, count: u64) {
    let Passed { posts, refused, reset, lost, unanswered, received } = passed;
    println!("deliveries through a gateway:");
    table(
        &[
            "posts",
            "429 and 503",
            "resets",
            "answers lost",
            "receiver away",
            "events received",
            "of these again",
        ],
        &[[posts, refused, reset, lost, unanswered, received, received.saturating_sub(count)]
            .map(|number| number.to_string())
            .to_vec()],
    );
}
