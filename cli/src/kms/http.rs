//! The HTTP server: takes requests apart, hands them to the KMS, puts answers together.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, StatusCode,
    body::{Bytes, Incoming},
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue},
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::spawn_blocking,
    time::{sleep, timeout},
};

use super::{
    Kms, Reply, Request,
    fault::Fault,
    gate::{self, Gate},
};

/// Serves until the process ends.
pub(super) async fn serve(listener: TcpListener, kms: Arc<Kms>, gate: Arc<Gate>) -> Infallible {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let permit = Arc::clone(&room).acquire_owned().await;
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, say: it passes.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let connection = connection(stream, Arc::clone(&kms), Arc::clone(&gate));
        tokio::spawn(async move {
            connection.await;
            drop(permit);
        });
    }
}

fn connection(stream: TcpStream, kms: Arc<Kms>, gate: Arc<Gate>) -> impl Future<Output = ()> {
    // Small answers must not wait for the peer's acknowledgement of the headers.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let (kms, gate) = (Arc::clone(&kms), Arc::clone(&gate));
        async move { Ok::<_, Infallible>(answer(request, kms, &gate).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // An error here is a peer that went away or broke the protocol: nothing to answer.
    async move { drop(connection.await) }
}

async fn answer(request: hyper::Request<Incoming>, kms: Arc<Kms>, gate: &Gate) -> Response {
    let (parts, body) = request.into_parts();
    let admitted = gate.admit(&parts);
    if let (Ok(cors), &Method::OPTIONS) = (&admitted, &parts.method)
        && cors.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN)
    {
        let mut cors = cors.clone();
        gate::preflight(&mut cors);
        return response(StatusCode::NO_CONTENT, cors, String::new());
    }
    let (cors, request) = match admitted {
        Ok(cors) => (cors, read(&parts, body).await),
        Err(fault) => (HeaderMap::new(), Err(fault)),
    };
    // The KMS waits for the disk; other connections must not wait with it.
    let reply = spawn_blocking(move || kms.answer(request)).await;
    let reply = reply.unwrap_or_else(|_| Reply::fault(Fault::Internal));
    let mut headers = cors;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(fault) = reply.fault {
        headers.insert(ERROR_TYPE, HeaderValue::from_static(fault));
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response(status, headers, reply.body)
}

async fn read(parts: &Parts, body: Incoming) -> Result<Request, Fault> {
    // A page can send other content types without a preflight.
    let json = text(&parts.headers, &CONTENT_TYPE).is_some_and(|kind| kind == JSON);
    if parts.method != Method::POST || parts.uri.path() != "/" || parts.uri.query().is_some() || !json {
        return Err(Fault::MethodRefused);
    }
    let body = timeout(BODY_TIMEOUT, Limited::new(body, MAX_BODY).collect())
        .await
        .map_err(|_| Fault::Incomplete)?
        .map_err(|error| match error.is::<LengthLimitError>() {
            true => Fault::TooLarge,
            false => Fault::Incomplete,
        })?;
    Ok(Request {
        target: text(&parts.headers, &TARGET),
        authorization: text(&parts.headers, &AUTHORIZATION),
        body: body.to_bytes().into(),
    })
}

/// The one value of a header; none if it stands there twice.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::to_owned),
        _ => None,
    }
}

fn response(status: StatusCode, headers: HeaderMap, body: String) -> Response {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

type Response = hyper::Response<Full<Bytes>>;

const JSON: &str = "application/x-amz-json-1.1";
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
/// The longest honest request has 4,096 bytes of plaintext and 8,192 of context.
const MAX_BODY: usize = 64 * 1024;
const MAX_CONNECTIONS: usize = 512;
/// Also how long an idle connection is kept: SDKs keep theirs for some seconds.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
