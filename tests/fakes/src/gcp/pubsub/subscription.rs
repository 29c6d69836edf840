//! Messages that wait, and messages that are with somebody until their deadline.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::wire::{PubsubMessage, ReceivedMessage};

#[derive(Debug)]
pub(super) struct Subscription {
    longest_deadline: Duration,
    waiting: VecDeque<Message>,
    leased: HashMap<String, Lease>,
    published: u64,
    delivered: u64,
}

#[derive(Debug)]
struct Message {
    id: u64,
    data: Bytes,
    attempt: i32,
}

#[derive(Debug)]
struct Lease {
    message: Message,
    until: Instant,
    stream: u64,
}

/// What a stream allows to be with it at a time; 0 or less is without limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    pub(super) messages: i64,
    pub(super) bytes: i64,
    pub(super) deadline: Duration,
}

/// As many messages as one response of a stream holds.
const RESPONSE: usize = 100;

impl Subscription {
    pub(super) fn new(longest_deadline: Duration) -> Self {
        let (waiting, leased) = (VecDeque::new(), HashMap::new());
        Self { longest_deadline, waiting, leased, published: 0, delivered: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.leased.len()
    }

    pub(super) fn publish(&mut self, data: Bytes) {
        self.published += 1;
        self.waiting.push_back(Message { id: self.published, data, attempt: 0 });
    }

    /// Messages for that stream, as far as its flow allows. Those with it whose deadline has passed wait again.
    pub(super) fn pull(&mut self, stream: u64, flow: Flow) -> Vec<ReceivedMessage> {
        self.expire();
        let mine = || self.leased.values().filter(|lease| lease.stream == stream);
        let (mut count, mut bytes) =
            (mine().count() as i64, mine().map(|lease| lease.message.data.len() as i64).sum::<i64>());
        let mut pulled = Vec::new();
        while pulled.len() < RESPONSE
            && (flow.messages <= 0 || count < flow.messages)
            && (flow.bytes <= 0 || bytes < flow.bytes)
            && let Some(mut message) = self.waiting.pop_front()
        {
            message.attempt += 1;
            count += 1;
            bytes += message.data.len() as i64;
            self.delivered += 1;
            let ack_id = format!("ack-{}", self.delivered);
            pulled.push(ReceivedMessage {
                ack_id: ack_id.clone(),
                message: Some(PubsubMessage {
                    data: message.data.clone(),
                    message_id: message.id.to_string(),
                }),
                delivery_attempt: message.attempt,
            });
            let until = Instant::now() + flow.deadline.min(self.longest_deadline);
            self.leased.insert(ack_id, Lease { message, until, stream });
        }
        pulled
    }

    /// True when the message was still with somebody.
    pub(super) fn acknowledge(&mut self, ack_id: &str) -> bool {
        self.leased.remove(ack_id).is_some()
    }

    /// Moves a deadline; 0 hands the message back.
    pub(super) fn modify(&mut self, ack_id: &str, deadline: Duration) {
        if deadline.is_zero() {
            self.waiting.extend(self.leased.remove(ack_id).map(|lease| lease.message));
        } else if let Some(lease) = self.leased.get_mut(ack_id) {
            lease.until = Instant::now() + deadline.min(self.longest_deadline);
        }
    }

    fn expire(&mut self) {
        let now = Instant::now();
        let late: Vec<String> =
            self.leased.iter().filter(|(_, lease)| lease.until <= now).map(|(id, _)| id.clone()).collect();
        for id in late {
            self.waiting.extend(self.leased.remove(&id).map(|lease| lease.message));
        }
    }
}
