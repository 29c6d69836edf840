use std::time::Duration;

use super::subscription::{Flow, Subscription};

const FLOW: Flow = Flow { messages: 0, bytes: 0, deadline: Duration::from_secs(600) };

fn filled(deadline: Duration) -> Subscription {
    let mut subscription = Subscription::new(deadline);
    for text in ["a", "bb", "ccc"] {
        subscription.publish(text.into());
    }
    subscription
}

#[test]
fn what_is_acknowledged_is_gone_and_what_is_handed_back_comes_again() {
    let mut subscription = filled(Duration::from_secs(600));
    let pulled = subscription.pull(1, FLOW);
    assert_eq!((pulled.len(), subscription.len()), (3, 3));
    assert!(subscription.pull(2, FLOW).is_empty());
    assert!(subscription.acknowledge(&pulled[0].ack_id));
    assert!(!subscription.acknowledge(&pulled[0].ack_id));
    subscription.modify(&pulled[1].ack_id, Duration::ZERO);
    let again = subscription.pull(2, FLOW);
    assert_eq!((again.len(), again[0].delivery_attempt, subscription.len()), (1, 2, 2));
    assert_eq!(again[0].message, pulled[1].message);
    assert_ne!(again[0].ack_id, pulled[1].ack_id);
}

#[test]
fn a_deadline_that_passes_frees_the_message() {
    let mut subscription = filled(Duration::ZERO);
    assert_eq!(subscription.pull(1, FLOW).len(), 3);
    assert_eq!(subscription.pull(2, FLOW).len(), 3);
}

#[test]
fn no_more_is_sent_than_a_stream_allows() {
    let mut subscription = filled(Duration::from_secs(600));
    let pulled = subscription.pull(1, Flow { bytes: 2, ..FLOW });
    // A message is sent while there is room, so the last one may go over.
    assert_eq!(pulled.len(), 2);
    assert!(subscription.pull(1, Flow { bytes: 2, ..FLOW }).is_empty());
    assert_eq!(subscription.pull(2, Flow { messages: 1, ..FLOW }).len(), 1);
}
