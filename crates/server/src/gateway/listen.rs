//! Takes connections, and ends them gracefully.
//!
//! Shutting down: no new connection is taken; sockets get their goodbye with a time to come back once the appends that
//! they are owed answers for are answered, long polls answer with what there is; requests under way finish. All of that
//! has `http.shutdown_s`, then the rest is cut. Nothing acknowledged depends on it.

use crate::account::phone::Phone;
use crate::server::Server;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Sleep;
use tower::ServiceExt;

/// From the opening of a connection, or the end of its last answer, to the next request's whole header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// A request's header.
const HEADER_MAX_BYTES: usize = 32 * 1024;
/// How long a peer may leave everything unread before its connection is cut.
const WRITE_STALL: Duration = Duration::from_secs(60);
/// After the operating system would not give a connection, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every connection ended by itself.
    Clean,
    /// So many were cut.
    Cut(u32),
}

/// Serves until `stop` is ready, then shuts down. The caller closes the store afterwards.
pub async fn serve(server: Arc<Server>, listener: TcpListener, stop: impl Future<Output = ()>) -> Ended {
    let router = super::router(server.clone());
    let connections_max = server.config.http.connections_max;
    let room = Arc::new(Semaphore::new(connections_max as usize));
    // Unpacks the world's numbering plans, which takes a third of a second, before somebody waits for it.
    tokio::task::spawn_blocking(|| drop(Phone::parse("+31612345678")));
    let sweeping = tokio::spawn(crate::blob::sweep::run(server.clone()));
    let deleting = tokio::spawn(crate::deletion::run(server.clone()));
    let (ending, ends) = watch::channel(false);
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                tokio::spawn(connection(stream, address, router.clone(), ends.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    sweeping.abort();
    deleting.abort();
    tracing::info!(sessions = server.hub.sessions(), "shutting down");
    server.hub.shut_down();
    ending.send_replace(true);
    // Every connection holds its permit to its end, also after it became a socket.
    let all_gone = room.acquire_many(connections_max);
    let limit = Duration::from_secs(server.config.http.shutdown_s.into());
    let ended = match tokio::time::timeout(limit, all_gone).await {
        Ok(_) => Ended::Clean,
        Err(_) => {
            let left = connections_max.saturating_sub(u32::try_from(room.available_permits()).unwrap_or(u32::MAX));
            tracing::warn!(connections = left, "cut at the end of the time for shutting down");
            Ended::Cut(left)
        }
    };
    // Cursors of the last moment; without them devices are told again what they have.
    if let Err(error) = server.lanes.flush(&server).await {
        tracing::warn!(%error, "the last cursors were not written");
    }
    if let Err(error) = server.online.flush(&server).await {
        tracing::warn!(%error, "the last times of last seen were not written");
    }
    ended
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<(Counted, SocketAddr)> {
    let permit = room.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    // Frames are small and wait for nobody.
    stream.set_nodelay(true)?;
    Ok((Counted { stream, stalled: None, _permit: permit }, address))
}

/// One connection, to the end of its last answer or until it becomes a socket.
async fn connection(stream: Counted, address: SocketAddr, router: Router, mut ends: watch::Receiver<bool>) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(address));
        router.clone().oneshot(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_header_size(HEADER_MAX_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut serving = pin!(serving);
    // Peers that break the protocol or go away are their own affair.
    tokio::select! {
        _ = &mut serving => return,
        _ = ends.wait_for(|ending| *ending) => serving.as_mut().graceful_shutdown(),
    }
    drop(serving.await);
}

/// A connection to the server, counted until it is closed, also after it became a socket. Cut if its peer does not read.
#[derive(Debug)]
struct Counted {
    stream: TcpStream,
    /// Runs while nothing more can be written; boxed, since most connections never need it.
    stalled: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl Counted {
    fn progress(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_STALL)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.progress(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.progress(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_cut() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let room = Arc::new(Semaphore::new(1));
        let (mut counted, _) = accept(&listener, &room).await.unwrap();
        // From here on the clock jumps to the next timer whenever nothing else can happen.
        tokio::time::pause();
        let began = tokio::time::Instant::now();
        let block = vec![0; 1024 * 1024];
        let error = loop {
            match counted.write_all(&block).await {
                Ok(()) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= WRITE_STALL);
        assert_eq!(room.available_permits(), 0);
        drop(counted);
        assert_eq!(room.available_permits(), 1);
        peer.read_exact(&mut [0; 1024]).await.unwrap();
    }
}
