//! A connection's bytes, which can be cut or held back from outside.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Fate {
    #[default]
    Open,
    Cut,
    Hung,
}

#[derive(Debug, Default)]
struct Control {
    fate: Fate,
    wakers: Vec<Waker>,
}

/// A hold on a connection.
#[derive(Debug, Clone)]
pub(super) struct Line(Weak<Mutex<Control>>);

/// The connection itself.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    control: Arc<Mutex<Control>>,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S) -> (Self, Line) {
        let control = Arc::new(Mutex::new(Control::default()));
        let line = Line(Arc::downgrade(&control));
        (Self { stream, control }, line)
    }

    fn fate(&self, cx: &Context<'_>) -> Fate {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        control.wakers.retain(|waker| !waker.will_wake(cx.waker()));
        control.wakers.push(cx.waker().clone());
        control.fate
    }
}

impl Line {
    pub(super) fn cut(&self) {
        self.set(Fate::Cut);
    }

    pub(super) fn hang(&self) {
        self.set(Fate::Hung);
    }

    pub(super) fn stands(&self) -> bool {
        let control = self.0.upgrade();
        control
            .is_some_and(|control| control.lock().unwrap_or_else(PoisonError::into_inner).fate != Fate::Cut)
    }

    fn set(&self, fate: Fate) {
        let Some(control) = self.0.upgrade() else { return };
        let mut control = control.lock().unwrap_or_else(PoisonError::into_inner);
        control.fate = fate;
        control.wakers.drain(..).for_each(Waker::wake);
    }
}

fn cut<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)))
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.fate(cx) {
            Fate::Open => Pin::new(&mut self.stream).poll_read(cx, buffer),
            Fate::Cut => cut(),
            Fate::Hung => Poll::Pending,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.fate(cx) {
            Fate::Open => Pin::new(&mut self.stream).poll_write(cx, bytes),
            Fate::Cut => cut(),
            Fate::Hung => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
