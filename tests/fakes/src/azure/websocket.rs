//! AMQP in a WebSocket: its bytes are those of the binary messages.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// The path of namespaces.
const PATH: &str = "/$servicebus/websocket";
/// How many bytes may be under way.
const ROOM: usize = 64 * 1024;

/// Opens a WebSocket as a namespace does; what is said in it.
pub(super) async fn accept<S>(stream: S) -> Option<DuplexStream>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let socket = accept_hdr_async(stream, answer).await.ok()?;
    let (near, far) = duplex(ROOM);
    tokio::spawn(carry(socket, far));
    Some(near)
}

/// The protocol is called `amqp` by OASIS and `AMQPWSB10` by the service's own clients.
#[expect(clippy::result_large_err, reason = "the signature is the library's")]
fn answer(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let header = "sec-websocket-protocol";
    let protocol = request.headers().get(header).filter(|name| *name == "amqp" || *name == "AMQPWSB10");
    match protocol {
        Some(protocol) if request.uri().path() == PATH => {
            response.headers_mut().insert(header, protocol.clone());
            Ok(response)
        }
        _ => {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::NOT_FOUND;
            Err(refusal)
        }
    }
}

/// Carries both ways until either ends.
async fn carry<S: AsyncRead + AsyncWrite + Unpin>(socket: WebSocketStream<S>, far: DuplexStream) {
    let (mut sink, mut source) = socket.split();
    let (mut reader, mut writer) = tokio::io::split(far);
    let inwards = async {
        while let Some(Ok(message)) = source.next().await {
            if let Message::Binary(bytes) = message
                && writer.write_all(&bytes).await.is_err()
            {
                return;
            }
        }
    };
    let outwards = async {
        let mut bytes = vec![0; ROOM];
        while let Ok(count @ 1..) = reader.read(&mut bytes).await {
            let message = Message::binary(bytes[..count].to_vec());
            if sink.send(message).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = inwards => {}, () = outwards => {} }
}
