//! The options that say which execution engines a beacon node asks.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use execution::{JwtSecret, RpcConfig};
use mock_engine::{Conduct, Lie, MockConfig, MockServer, MockServerConfig};
use node::NetworkFolder;
use types::ExecutionAddress;

use crate::commands::mock_engine::LieName;
use crate::jwt_file;
use crate::mock_network::mock_config;

/// What is asked for in place of a URL where the engine shall be a mock in this process.
const MOCK: &str = "mock";
/// The secret's file in the data folder, where none is named.
const JWT_FILE: &str = "jwt.hex";

/// The engines, and who gets fees.
#[derive(Args)]
pub struct ExecutionChoice {
    /// An execution engine's Engine API, as http://127.0.0.1:8551; every network needs one from Bellatrix on. Given
    /// several times, the first one that can be used answers. "mock" is an engine in this process that executes nothing,
    /// for devnets and tests.
    #[arg(long, value_name = "URL|mock")]
    execution: Vec<String>,
    /// The secret that the engine shares: 64 hexadecimal digits, the file that the engine's own --jwt-secret or
    /// --authrpc.jwtsecret names. One for all engines, or one for each in their order [default: jwt.hex in the data
    /// folder, which is made where it is not there].
    #[arg(long, value_name = "FILE", requires = "execution")]
    execution_jwt: Vec<PathBuf>,
    /// Who gets the fees of blocks whose proposer named nobody, as 0x and 40 digits [default: the zero address, which
    /// nobody can spend from].
    #[arg(long, value_name = "ADDRESS", hide_default_value = true, default_value_t = ExecutionAddress::ZERO)]
    pub suggested_fee_recipient: ExecutionAddress,
    /// Blobs in each payload that the mock engine builds, since Deneb.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "execution")]
    mock_blobs: usize,
    /// Transactions in each payload that the mock engine builds: random bytes.
    #[arg(long, value_name = "N", default_value_t = 2, requires = "execution")]
    mock_transactions: usize,
    /// The mock engine holds every answer back this long.
    #[arg(long, value_name = "MS", default_value_t = 0, requires = "execution")]
    mock_delay: u64,
    /// The mock engine answers SYNCING for this long.
    #[arg(long, value_name = "MS", default_value_t = 0, requires = "execution")]
    mock_syncing_for: u64,
    /// The mock engine calls the block of this number invalid, and all that follows it.
    #[arg(long, value_name = "NUMBER", requires = "execution")]
    mock_invalid_at: Option<u64>,
    /// The mock engine does not have the blobs of its own payloads when it is asked for them.
    #[arg(long, requires = "execution")]
    mock_hide_blobs: bool,
    /// The mock engine says what is not so.
    #[arg(long, value_enum, requires = "execution")]
    mock_lie: Option<LieName>,
}

/// Engines to be asked, and those of them that live in this process: they end when this is dropped.
pub struct ExecutionEngines {
    /// How they are reached, the preferred one first.
    pub endpoints: Vec<RpcConfig>,
    _mocks: Vec<MockServer>,
}

impl ExecutionChoice {
    /// Reads secrets and starts mocks.
    pub async fn start(&self, network: &NetworkFolder, data_dir: &Path) -> anyhow::Result<ExecutionEngines> {
        // Before a secret is written: a wrong line leaves nothing behind.
        self.execution.iter().filter(|url| *url != MOCK).try_for_each(|url| check_url(url))?;
        let secrets = self.secrets(data_dir)?;
        let (mut endpoints, mut mocks) = (Vec::new(), Vec::new());
        for (place, url) in self.execution.iter().enumerate() {
            let (url, secret) = match url.as_str() {
                MOCK => {
                    let secret = jwt_file::random_secret();
                    let server = self.start_mock(network, secret.clone(), place as u64).await?;
                    let url = server.url();
                    mocks.push(server);
                    (url, secret)
                }
                url => {
                    let secret = secrets.get(place).or(secrets.first()).context("no JWT secret")?.clone();
                    (url.to_owned(), secret)
                }
            };
            endpoints.push(RpcConfig { url, secret: Some(secret), timeout_ms_max: None });
        }
        Ok(ExecutionEngines { endpoints, _mocks: mocks })
    }

    /// The secrets of engines: one for all, or one for each.
    fn secrets(&self, data_dir: &Path) -> anyhow::Result<Vec<JwtSecret>> {
        let (files, engines) = (&self.execution_jwt, self.execution.len());
        if !files.is_empty() {
            ensure!(
                files.len() == 1 || files.len() == engines,
                "{} JWT secrets do not fit {engines} engines: give one for all, or one for each",
                files.len()
            );
            return Ok(files.iter().map(|path| JwtSecret::read(path)).collect::<Result<_, _>>()?);
        }
        if self.execution.iter().all(|url| url == MOCK) {
            return Ok(Vec::new());
        }
        std::fs::create_dir_all(data_dir).with_context(|| data_dir.display().to_string())?;
        let path = data_dir.join(JWT_FILE);
        let is_new = !path.exists();
        let secret = jwt_file::read_or_create(&path)?;
        if is_new {
            tracing::warn!(
                path = %path.display(),
                "no --execution-jwt is given: a new secret was written, which the execution engine must be given too"
            );
        }
        Ok(vec![secret])
    }

    async fn start_mock(
        &self,
        network: &NetworkFolder,
        secret: JwtSecret,
        seed: u64,
    ) -> anyhow::Result<MockServer> {
        let engine = MockConfig {
            transactions_per_block: self.mock_transactions,
            blobs_per_block: self.mock_blobs,
            seed,
            ..mock_config(network.spec, &network.genesis)
        };
        let conduct = Conduct {
            delay_ms: self.mock_delay,
            syncing_until_ms: self.mock_syncing_for,
            invalid_at: self.mock_invalid_at,
            // It ends with the process, but the chain of the node does not: it must go on from a block that it never saw.
            adopts_orphans: true,
            hides_blobs: self.mock_hide_blobs,
            lie: self.mock_lie.map(Lie::from),
        };
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let config = MockServerConfig { listen, secret: Some(secret), rpc_listen: None, engine, conduct };
        let server = MockServer::start(config).await.context("the mock engine cannot listen on loopback")?;
        tracing::info!(url = server.url(), "a mock engine runs in this process: nothing is executed");
        Ok(server)
    }
}

/// Refuses what no engine can have for its address.
fn check_url(url: &str) -> anyhow::Result<()> {
    if url.starts_with("https://") {
        bail!(
            "--execution {url}: TLS is not built in; the Engine API is for engines on this machine or near it (http://)"
        );
    }
    let rest = url.strip_prefix("http://").unwrap_or_default();
    ensure!(
        !rest.is_empty() && !rest.starts_with('/'),
        "--execution {url}: expected a URL as http://127.0.0.1:8551, or \"mock\""
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        choice: ExecutionChoice,
    }

    fn parse(line: &str) -> Result<ExecutionChoice, clap::Error> {
        let words = std::iter::once("beacon").chain(line.split_whitespace());
        <Line as clap::Parser>::try_parse_from(words).map(|line| line.choice)
    }

    #[test]
    fn addresses_that_no_engine_has_are_refused_with_an_example() {
        for url in ["127.0.0.1:8551", "ws://host:1", "http://", "http:///x", "Mock"] {
            let error = check_url(url).unwrap_err().to_string();
            assert!(error.contains(url) && error.contains("http://127.0.0.1:8551"), "{error}");
        }
        assert!(check_url("https://host").unwrap_err().to_string().contains("TLS"));
        check_url("http://engine:8551").unwrap();
    }

    #[test]
    fn secrets_are_one_for_all_or_one_for_each_and_a_missing_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, digit: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, digit.repeat(64)).unwrap();
            path.display().to_string()
        };
        let (a, b) = (file("a", "a"), file("b", "b"));
        let engines = "--execution http://x:1 --execution http://y:1 --execution http://z:1";
        let secrets = |files: &str| parse(&format!("{engines} {files}")).unwrap().secrets(dir.path());
        assert_eq!(secrets(&format!("--execution-jwt {a}")).unwrap().len(), 1);
        let error = secrets(&format!("--execution-jwt {a} --execution-jwt {b}")).unwrap_err().to_string();
        assert!(error.contains("2 JWT secrets do not fit 3 engines"), "{error}");
        let error = secrets("--execution-jwt nowhere").unwrap_err().to_string();
        assert!(error.contains("nowhere cannot be read"), "{error}");
        std::fs::write(dir.path().join("a"), "abc").unwrap();
        let error = secrets(&format!("--execution-jwt {a}")).unwrap_err().to_string();
        assert!(error.contains("64 digits"), "{error}");
    }

    #[test]
    fn without_a_file_the_secret_of_the_data_folder_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("node");
        let choice = parse("--execution http://x:1").unwrap();
        let first = choice.secrets(&folder).unwrap();
        assert_eq!(choice.secrets(&folder).unwrap(), first);
        assert_eq!(JwtSecret::read(&folder.join(JWT_FILE)).unwrap(), first[0]);
        assert!(parse("--execution mock").unwrap().secrets(&dir.path().join("other")).unwrap().is_empty());
        assert!(!dir.path().join("other").exists());
    }

    #[test]
    fn options_of_engines_need_an_engine() {
        assert!(parse("--execution-jwt file").is_err());
        assert!(parse("--mock-blobs 2").is_err());
        assert!(parse("--suggested-fee-recipient 0x12").is_err());
        let choice = parse(&format!("--suggested-fee-recipient 0x{}", "ab".repeat(20))).unwrap();
        assert_eq!(choice.suggested_fee_recipient.0, [0xab; 20]);
        assert!(parse("").unwrap().execution.is_empty());
    }
}
