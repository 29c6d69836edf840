//! Reading request bodies: decompressed as they arrive, each within a size and a time, all together within a budget.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::Body as HttpBody;
use axum::http::{HeaderMap, header};
use bytes::BufMut;
use futures_util::TryStreamExt;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::io::StreamReader;

/// What is read at once, and the least that a body takes from the budget.
const STEP: usize = 64 << 10;

/// The unit in which the budget counts.
const UNIT: usize = 1 << 10;

/// The largest window of zstd that is decoded, as RFC 8878 recommends: 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How long a client is heard out whose body is refused, so that it gets to read the answer.
const HEAR_OUT: Duration = Duration::from_secs(5);

/// Bounds on bodies.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most bytes of one body, decompressed.
    pub body: usize,
    /// How long a body may take to arrive.
    pub time: Duration,
    /// Most bytes of all bodies in memory, in units.
    budget: Arc<Semaphore>,
    /// Most bytes of all that came of bodies and waits to be stored, in units.
    results: Arc<Semaphore>,
    units: usize,
}

impl Limits {
    /// At most `body` bytes each, `all` bytes together, as much again of what comes of them, and `time` to arrive.
    pub fn new(body: usize, all: usize, time: Duration) -> Self {
        let units = all.div_ceil(UNIT).min(Semaphore::MAX_PERMITS);
        let semaphore = || Arc::new(Semaphore::new(units));
        Self { body, time, budget: semaphore(), results: semaphore(), units }
    }

    /// Room for so many bytes that come of a body, once there is; what is larger than all of it waits for all of it.
    pub(super) async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT).min(self.units)).unwrap_or(u32::MAX);
        self.results.clone().acquire_many_owned(units).await.ok()
    }
}

/// Gives back what is not needed of `room` by so many bytes.
pub(super) fn shrink(room: &mut Option<OwnedSemaphorePermit>, bytes: usize) {
    if let Some(room) = room {
        drop(room.split(room.num_permits().saturating_sub(bytes.div_ceil(UNIT))));
    }
}

/// A body in memory, and its part of the budget.
#[derive(Debug)]
pub(super) struct Body {
    /// Decompressed.
    pub bytes: Vec<u8>,
    /// Given back when dropped.
    pub held: Option<OwnedSemaphorePermit>,
}

/// Why a body was not read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unread {
    /// More than one body may have.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// The most there may be.
        limit: usize,
    },
    /// All bodies together have what they may have.
    #[error("too many bytes of other bodies are in memory")]
    Busy,
    /// It took longer than a body may.
    #[error("the body did not arrive within {seconds} s")]
    Slow {
        /// What it may take.
        seconds: u64,
    },
    /// An encoding that is not understood.
    #[error("content encoding `{0}` is not supported; send gzip, zstd or identity")]
    Encoding(String),
    /// The connection broke, or the compressed data is damaged.
    #[error("the body can't be read: {0}")]
    Broken(String),
}

/// Reads a whole body.
///
/// # Errors
/// When it breaks a limit or can't be decoded.
pub(super) async fn read(headers: &HeaderMap, body: HttpBody, limits: &Limits) -> Result<Body, Unread> {
    let mut body = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let within = tokio::time::timeout(limits.time, async {
        if declared(headers).is_some_and(|length| length > limits.body as u64) {
            return Err(Unread::TooLarge { limit: limits.body });
        }
        let mut decoded = decoder(headers, &mut body)?;
        fill(&mut decoded, limits).await
    });
    let read = within.await.unwrap_or(Err(Unread::Slow { seconds: limits.time.as_secs() }));
    if matches!(read, Err(Unread::TooLarge { .. } | Unread::Encoding(_))) {
        let mut nowhere = tokio::io::sink();
        let _ = tokio::time::timeout(HEAR_OUT, tokio::io::copy(&mut body, &mut nowhere)).await;
    }
    read
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

type Decoded<'a> = Pin<Box<dyn AsyncRead + Send + 'a>>;

fn decoder<'a>(
    headers: &HeaderMap,
    body: &'a mut (impl tokio::io::AsyncBufRead + Unpin + Send),
) -> Result<Decoded<'a>, Unread> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Ok(Box::pin(body)) };
    match encoding.to_str().map(str::trim) {
        Ok("" | "identity") => Ok(Box::pin(body)),
        Ok("gzip" | "x-gzip") => {
            let mut decoder = GzipDecoder::new(body);
            decoder.multiple_members(true);
            Ok(Box::pin(decoder))
        }
        Ok("zstd") => {
            let mut decoder = ZstdDecoder::with_params(body, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]);
            decoder.multiple_members(true);
            Ok(Box::pin(decoder))
        }
        _ => Err(Unread::Encoding(String::from_utf8_lossy(encoding.as_bytes()).into_owned())),
    }
}

async fn fill(from: &mut Decoded<'_>, limits: &Limits) -> Result<Body, Unread> {
    let mut body = Body { bytes: Vec::new(), held: None };
    loop {
        body.make_room(limits)?;
        let room = (body.bytes.capacity() - body.bytes.len()).min(STEP);
        let read = from.read_buf(&mut (&mut body.bytes).limit(room)).await;
        match read {
            Ok(0) => return Ok(body),
            Ok(_) if body.bytes.len() > limits.body => {
                return Err(Unread::TooLarge { limit: limits.body });
            }
            // A highly compressed body is long work without a pause of its own.
            Ok(_) => tokio::task::consume_budget().await,
            Err(error) => return Err(Unread::Broken(error.to_string())),
        }
    }
}

impl Body {
    /// Makes room for at least one more byte, paid for from the budget. One byte above the limit has room, to be found.
    fn make_room(&mut self, limits: &Limits) -> Result<(), Unread> {
        let before = self.bytes.capacity();
        if self.bytes.len() < before {
            return Ok(());
        }
        let after = before.saturating_mul(2).max(STEP).min(limits.body.saturating_add(1).max(before + 1));
        let units = u32::try_from((after - before).div_ceil(UNIT)).map_err(|_| Unread::Busy)?;
        let held = limits.budget.clone().try_acquire_many_owned(units).map_err(|_| Unread::Busy)?;
        match &mut self.held {
            Some(all) => all.merge(held),
            none => *none = Some(held),
        }
        self.bytes.reserve_exact(after - self.bytes.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
