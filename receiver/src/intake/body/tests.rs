use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};
use axum::body::Bytes;
use futures_util::stream;

use super::*;

fn limits() -> Limits {
    Limits::new(1 << 20, 4 << 20, Duration::from_secs(60))
}

fn encoded(as_: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_ENCODING, as_.parse().unwrap());
    headers
}

/// A body that arrives in pieces, without a length.
fn pieces(bytes: Vec<u8>) -> HttpBody {
    let pieces: Vec<_> =
        bytes.chunks(1000).map(|piece| io::Result::Ok(Bytes::copy_from_slice(piece))).collect();
    HttpBody::from_stream(stream::iter(pieces))
}

async fn all(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).await.unwrap();
    bytes
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn what_was_sent_is_read_in_every_encoding() {
    let sent = text(300_000);
    let gzip = all(GzipEncoder::new(&sent[..])).await;
    let zstd = all(ZstdEncoder::new(&sent[..])).await;
    for (headers, body) in
        [(HeaderMap::new(), sent.clone()), (encoded("gzip"), gzip), (encoded("zstd"), zstd)]
    {
        let read = read(&headers, pieces(body), &limits()).await.unwrap();
        assert_eq!(read.bytes, sent, "{headers:?}");
    }
}

#[tokio::test]
async fn the_limit_is_on_what_comes_out() {
    let limits = limits();
    assert_eq!(read(&HeaderMap::new(), pieces(text(1 << 20)), &limits).await.unwrap().bytes.len(), 1 << 20);
    let too_large = Unread::TooLarge { limit: 1 << 20 };
    assert_eq!(read(&HeaderMap::new(), pieces(text((1 << 20) + 1)), &limits).await.unwrap_err(), too_large);
    let bomb = all(GzipEncoder::new(&vec![0; 100 << 20][..])).await;
    assert!(bomb.len() < 1 << 20);
    assert_eq!(read(&encoded("gzip"), pieces(bomb), &limits).await.unwrap_err(), too_large);
}

#[tokio::test]
async fn the_budget_is_for_all_bodies_and_comes_back() {
    let limits = Limits::new(1 << 20, 1 << 20, Duration::from_secs(60));
    let first = read(&HeaderMap::new(), pieces(text(600_000)), &limits).await.unwrap();
    assert_eq!(read(&HeaderMap::new(), pieces(text(600_000)), &limits).await.unwrap_err(), Unread::Busy);
    drop(first);
    assert!(read(&HeaderMap::new(), pieces(text(600_000)), &limits).await.is_ok());
    assert_eq!(limits.budget.available_permits(), 1024);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let endless = HttpBody::from_stream(stream::pending::<io::Result<Bytes>>());
    let slow = read(&HeaderMap::new(), endless, &limits()).await.unwrap_err();
    assert_eq!(slow, Unread::Slow { seconds: 60 });
}

#[tokio::test]
async fn damaged_and_foreign_encodings_are_told() {
    let damaged = read(&encoded("gzip"), pieces(text(100)), &limits()).await.unwrap_err();
    assert!(matches!(damaged, Unread::Broken(_)), "{damaged:?}");
    let whole = all(GzipEncoder::new(&text(10_000)[..])).await;
    let cut = read(&encoded("gzip"), pieces(whole[..whole.len() / 2].to_vec()), &limits()).await.unwrap_err();
    assert!(matches!(cut, Unread::Broken(_)), "{cut:?}");
    let foreign = read(&encoded("br"), pieces(text(100)), &limits()).await.unwrap_err();
    assert_eq!(foreign, Unread::Encoding("br".to_owned()));
}
