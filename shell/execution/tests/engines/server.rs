//! An HTTP server whose answers a test writes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a server does with a request.
pub enum Answer {
    /// The result of the method.
    Result(Value),
    /// A JSON-RPC error.
    Error(i64, &'static str),
    /// This status and body.
    Raw(u16, Vec<u8>),
    /// A length that is not kept, and nothing behind it.
    Announce(u64),
    /// Bytes without an end, in chunks.
    Endless,
    /// Nothing, for ever.
    Stall,
}

/// A request as it came.
pub struct Request {
    /// The header `Authorization`, in lower case as HTTP allows; empty where there is none.
    pub authorization: String,
    /// The body.
    pub body: Value,
}

pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    pub async fn start_at(
        address: SocketAddr,
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, seen) = (Arc::new(answer), Arc::new(Mutex::new(Vec::new())));
        let log = seen.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, answer.clone(), log.clone()));
            }
        });
        Self { address, seen, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn methods(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: Arc<impl Fn(&Request) -> Answer>,
    seen: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await? {
        seen.lock().unwrap().push(request.body["method"].as_str().unwrap_or_default().to_owned());
        let id = request.body["id"].clone();
        let (status, body) = match answer(&request) {
            Answer::Result(result) => {
                (200, json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string().into())
            }
            Answer::Error(code, message) => {
                let error = json!({ "code": code, "message": message });
                (200, json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string().into_bytes())
            }
            Answer::Raw(status, body) => (status, body),
            Answer::Announce(length) => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                std::future::pending().await
            }
            Answer::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
                loop {
                    stream.write_all(format!("400\r\n{}\r\n", " ".repeat(0x400)).as_bytes()).await?;
                }
            }
            Answer::Stall => std::future::pending().await,
        };
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
    }
    Ok(())
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<Request>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let field = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(':'));
                lines
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.trim().to_owned())
            };
            let length: usize = field("content-length").unwrap_or_default().parse().unwrap_or(0);
            if buffer.len() >= end + 4 + length {
                let body = serde_json::from_slice(&buffer[end + 4..end + 4 + length]).unwrap_or_default();
                buffer.drain(..end + 4 + length);
                return Ok(Some(Request { authorization: field("authorization").unwrap_or_default(), body }));
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await? {
            0 => return Ok(None),
            count => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

/// A test's whole time: what takes longer hangs.
pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it hangs")
}

/// A port where nobody listens.
pub async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// An engine that is online, of chain 1, at its head, and offers everything; `answer` comes first.
pub fn healthy(answer: impl Fn(&Request) -> Option<Answer>) -> impl Fn(&Request) -> Answer {
    move |request| {
        answer(request).unwrap_or_else(|| {
            Answer::Result(match request.body["method"].as_str().unwrap() {
                "eth_chainId" => json!("0x1"),
                "eth_syncing" => json!(false),
                "engine_exchangeCapabilities" => json!(execution::method::capabilities()),
                "engine_newPayloadV1" => json!({ "status": "VALID", "latestValidHash": null, "validationError": null }),
                "engine_forkchoiceUpdatedV1" => {
                    json!({ "payloadStatus": { "status": "SYNCING", "latestValidHash": null }, "payloadId": null })
                }
                method => panic!("unexpected {method}"),
            })
        })
    }
}
