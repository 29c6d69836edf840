//! Delivery to a receiver that does whatever a script says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_service::health::Health;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// What the receiver does with one request.
#[derive(Clone, Debug, PartialEq)]
enum Act {
    Take,
    /// It has the events and the answer is lost.
    TakeAndReset,
    TakeWithoutReceipt,
    Reset,
    /// The request could not be made.
    Unmade,
    Status(u16),
    After(u16, u64),
    Miscount,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Act>,
    /// Bodies with more events than this get 413.
    most: usize,
    poison: Vec<String>,
    taken: Vec<String>,
    kept: Vec<Kept>,
    requests: Vec<(Target, usize)>,
    quarantine: u16,
}

#[derive(Clone, Debug)]
struct Scripted(Arc<Mutex<State>>);

impl Scripted {
    fn new(script: impl IntoIterator<Item = Act>) -> Self {
        let script = script.into_iter().collect();
        Self(Arc::new(Mutex::new(State { script, most: usize::MAX, quarantine: 200, ..State::default() })))
    }

    fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.0.lock().unwrap());
        self
    }
}

fn status(status: u16) -> Answer {
    Answer { status, ..Answer::default() }
}

impl Transport for Scripted {
    async fn post(&self, target: Target, body: Bytes) -> Result<Answer, NoAnswer> {
        let mut state = self.0.lock().unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        if target == Target::Quarantine {
            let records: Vec<Kept> = serde_json::from_value(body["records"].clone()).unwrap();
            state.requests.push((target, records.len()));
            if state.quarantine == 200 {
                state.kept.extend(records);
            }
            return Ok(status(state.quarantine));
        }
        assert_eq!((&body["kind"], &body["apiVersion"]), (&"EventList".into(), &"audit.k8s.io/v1".into()));
        let events: Vec<String> = body["items"].as_array().unwrap().iter().map(Value::to_string).collect();
        state.requests.push((target, events.len()));
        let receipt = |received: usize| Answer {
            status: 200,
            body: format!(
                r#"{{"received":{received},"evaluated":{received},"ignored":0,"quarantined":[],"alerts":0}}"#
            ),
            ..Answer::default()
        };
        let act = if events.is_empty() { Act::Take } else { state.script.pop_front().unwrap_or(Act::Take) };
        match act {
            Act::Reset => return Err(NoAnswer::Unreachable("connection reset".into())),
            Act::Unmade => return Err(NoAnswer::Unmade("no token".into())),
            Act::Status(code) => return Ok(status(code)),
            Act::After(code, seconds) => {
                return Ok(Answer { retry_after: Some(Duration::from_secs(seconds)), ..status(code) });
            }
            Act::Miscount => return Ok(receipt(events.len() + 1)),
            Act::Take | Act::TakeAndReset | Act::TakeWithoutReceipt => {}
        }
        if events.len() > state.most {
            return Ok(status(413));
        }
        if events.iter().any(|event| state.poison.contains(event)) {
            return Ok(status(400));
        }
        let count = events.len();
        state.taken.extend(events);
        match act {
            Act::TakeAndReset => Err(NoAnswer::Unreachable("connection reset".into())),
            Act::TakeWithoutReceipt => Ok(Answer { body: "ok".into(), ..status(200) }),
            _ => Ok(receipt(count)),
        }
    }
}

fn deliverer(receiver: &Scripted, health: &Health) -> Deliverer<Scripted> {
    Deliverer::new(receiver.clone(), Keep::Receiver, "unit", health.condition("receiver"), Metrics::default())
}

fn events(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{{\"auditID\":\"{index}\"}}")).collect()
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let codes =
        prop::sample::select(vec![301, 302, 400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504]);
    let act = prop_oneof![
        Just(Act::Take),
        Just(Act::TakeAndReset),
        Just(Act::TakeWithoutReceipt),
        Just(Act::Reset),
        Just(Act::Unmade),
        Just(Act::Miscount),
        codes.clone().prop_map(Act::Status),
        (codes, 0..100_u64).prop_map(|(code, seconds)| Act::After(code, seconds)),
    ];
    prop::collection::vec(act, 0..30)
}

proptest! {
    #[test]
    fn whatever_the_receiver_does_each_event_is_taken_or_quarantined(
        script in acts(),
        count in 0..20_usize,
        most in 1..20_usize,
        poison in prop::collection::vec(0..20_usize, 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let events = events(count);
        let poison: Vec<String> = poison.iter().filter_map(|index| events.get(*index).cloned()).collect();
        let receiver = Scripted::new(script).with(|state| {
            state.most = most;
            state.poison = poison.clone();
        });
        runtime.block_on(deliverer(&receiver, &Health::new()).deliver(events.clone(), Vec::new())).unwrap();
        let state = receiver.0.lock().unwrap();
        for event in &events {
            let kept = state.kept.iter().filter(|kept| kept.record == *event).count();
            prop_assert!(kept <= 1);
            prop_assert!(kept == 1 || state.taken.contains(event), "{event} is lost");
            prop_assert!(!poison.contains(event) || kept == 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_must_be_mended_is_told_and_goes_on_when_it_is() {
    for (act, told) in [301, 302, 307, 401, 403, 404, 405, 415, 501]
        .map(|code| (Act::Status(code), format!("it answers {code}")))
        .into_iter()
        .chain([(Act::Unmade, "no token".to_owned())])
    {
        let receiver = Scripted::new(vec![act; 5]);
        let health = Health::new();
        let deliverer = deliverer(&receiver, &health);
        assert!(health.is_ready());
        let delivery = tokio::spawn(async move { deliverer.deliver(events(2), Vec::new()).await });
        while health.is_ready() {
            tokio::task::yield_now().await;
        }
        assert!(health.failing()[0].1.contains(&told), "{:?}", health.failing());
        delivery.await.unwrap().unwrap();
        assert!(health.is_ready());
        assert_eq!(receiver.0.lock().unwrap().requests.len(), 6);
    }
}

#[tokio::test(start_paused = true)]
async fn outages_are_waited_out_as_long_as_asked() {
    let receiver = Scripted::new([Act::After(503, 60), Act::After(429, 60), Act::Reset, Act::Status(502)]);
    let health = Health::new();
    let before = tokio::time::Instant::now();
    deliverer(&receiver, &health).deliver(events(3), Vec::new()).await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(120));
    assert!(health.is_ready());
    assert_eq!(receiver.0.lock().unwrap().taken, events(3));
}

#[tokio::test(start_paused = true)]
async fn a_poisoned_event_is_found_by_halving() {
    let poison = events(8)[5].clone();
    let receiver = Scripted::new([]).with(|state| state.poison = vec![poison.clone()]);
    deliverer(&receiver, &Health::new()).deliver(events(8), Vec::new()).await.unwrap();
    let state = receiver.0.lock().unwrap();
    assert_eq!((state.taken.len(), state.kept.len()), (7, 1));
    assert_eq!(state.kept[0].record, poison);
    assert!(state.kept[0].reason.contains("400"), "{}", state.kept[0].reason);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_refuses_even_nothing_is_misconfigured() {
    /// Refuses everything, then everything is mended.
    struct Wrong(Mutex<u32>);
    impl Transport for Wrong {
        async fn post(&self, target: Target, _: Bytes) -> Result<Answer, NoAnswer> {
            assert_eq!(target, Target::Events);
            let mut left = self.0.lock().unwrap();
            let code = if *left == 0 { 200 } else { 400 };
            *left = left.saturating_sub(1);
            Ok(status(code))
        }
    }
    let health = Health::new();
    let wrong = Wrong(Mutex::new(10));
    let deliverer =
        Deliverer::new(wrong, Keep::Receiver, "unit", health.condition("receiver"), Metrics::default());
    let delivery = tokio::spawn(async move { deliverer.deliver(events(1), Vec::new()).await });
    while health.is_ready() {
        tokio::task::yield_now().await;
    }
    delivery.await.unwrap().unwrap();
    assert!(health.is_ready());
}

#[tokio::test(start_paused = true)]
async fn what_answers_a_probe_says_whether_it_is_configuration() {
    /// Refuses the event; the answers to an empty list are given.
    struct Refusing(Mutex<VecDeque<u16>>);
    impl Transport for Refusing {
        async fn post(&self, target: Target, body: Bytes) -> Result<Answer, NoAnswer> {
            let empty = body.windows(2).any(|pair| pair == b"[]");
            let code = match (target, empty) {
                (Target::Quarantine, _) => 200,
                (Target::Events, false) => 400,
                (Target::Events, true) => self.0.lock().unwrap().pop_front().unwrap_or(200),
            };
            Ok(status(code))
        }
    }
    for (code, mend) in [(503, false), (429, false), (401, true), (400, true)] {
        let health = Health::new();
        let condition = health.condition("receiver");
        let probes = Refusing(Mutex::new(VecDeque::from([code; 20])));
        let deliverer = Deliverer::new(probes, Keep::Receiver, "unit", condition, Metrics::default());
        let delivery = tokio::spawn(async move { deliverer.deliver(events(1), Vec::new()).await });
        let mut failed = false;
        while !delivery.is_finished() {
            failed |= !health.is_ready();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        delivery.await.unwrap().unwrap();
        assert_eq!(failed, mend, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_quarantine_the_unit_stops() {
    for code in [404, 405, 400, 413] {
        let receiver = Scripted::new([]).with(|state| state.quarantine = code);
        let kept = Kept { reason: "r".into(), source: "s".into(), record: "x".into() };
        let stopped = deliverer(&receiver, &Health::new()).deliver(events(1), vec![kept]).await.unwrap_err();
        assert!(stopped.to_string().contains("quarantine: file:PATH"), "{stopped}");
    }
}

#[tokio::test]
async fn a_foreign_receivers_quarantine_is_a_private_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quarantine.jsonl");
    let poison = events(2)[1].clone();
    let receiver = Scripted::new([Act::TakeWithoutReceipt]).with(|state| state.poison = vec![poison.clone()]);
    let keep = format!("file:{}", path.display()).parse().unwrap();
    let condition = Health::new().condition("receiver");
    let deliverer = Deliverer::new(receiver, keep, "unit", condition, Metrics::default());
    for _ in 0..2 {
        deliverer.deliver(events(2), Vec::new()).await.unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert_eq!(serde_json::from_str::<Kept>(text.lines().next().unwrap()).unwrap().record, poison);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_line_cut_by_a_crash_does_not_spoil_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quarantine.jsonl");
    let kept = |record: &str| Kept { reason: "r".into(), source: "s".into(), record: record.into() };
    quarantine::append_now(&path, &[kept("1")]).unwrap();
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"reason\":\"r\",\"sour");
    std::fs::write(&path, &text).unwrap();
    quarantine::append_now(&path, &[kept("2"), kept("3")]).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let read: Vec<Option<Kept>> = text.lines().map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(read, [Some(kept("1")), None, Some(kept("2")), Some(kept("3"))]);
}
