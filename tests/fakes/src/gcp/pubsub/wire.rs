//! The messages of `google.pubsub.v1` that are spoken here (googleapis `google/pubsub/v1/pubsub.proto`); fields that
//! this fake doesn't use are left out, as protobuf allows.

use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StreamingPullRequest {
    #[prost(string, tag = "1")]
    pub(super) subscription: String,
    #[prost(int32, tag = "5")]
    pub(super) stream_ack_deadline_seconds: i32,
    #[prost(int64, tag = "7")]
    pub(super) max_outstanding_messages: i64,
    #[prost(int64, tag = "8")]
    pub(super) max_outstanding_bytes: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct StreamingPullResponse {
    #[prost(message, repeated, tag = "1")]
    pub(super) received_messages: Vec<ReceivedMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReceivedMessage {
    #[prost(string, tag = "1")]
    pub(super) ack_id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) message: Option<PubsubMessage>,
    #[prost(int32, tag = "3")]
    pub(super) delivery_attempt: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PubsubMessage {
    #[prost(bytes = "bytes", tag = "1")]
    pub(super) data: Bytes,
    #[prost(string, tag = "3")]
    pub(super) message_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AcknowledgeRequest {
    #[prost(string, tag = "1")]
    pub(super) subscription: String,
    #[prost(string, repeated, tag = "2")]
    pub(super) ack_ids: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ModifyAckDeadlineRequest {
    #[prost(string, tag = "1")]
    pub(super) subscription: String,
    #[prost(int32, tag = "3")]
    pub(super) ack_deadline_seconds: i32,
    #[prost(string, repeated, tag = "4")]
    pub(super) ack_ids: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Empty {}
