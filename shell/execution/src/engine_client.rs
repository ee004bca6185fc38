//! One engine: each method of the Engine API as a function.

use engine::{
    BlobAndProofs, BuiltPayload, ForkchoiceState, NewPayload, PayloadAttributes, PayloadBody, PayloadId,
    PayloadStatus,
};
use serde_json::{Value, json};
use types::{FixedBytes, ForkName, Root};

use crate::codec::{self, Malformed, Object, data_to_json, quantity_to_json};
use crate::method::{self, Method};
use crate::rpc::{Rpc, shortened};
use crate::{EngineError, RpcConfig};

/// The hashes of one `engine_getBlobs`, and the bodies of one `engine_getPayloadBodiesBy…`, that an engine must serve.
pub(crate) const BLOBS_MAX: usize = 128;
pub(crate) const BODIES_MAX: usize = 32;

type Result<T> = std::result::Result<T, EngineError>;

/// A client of one engine. It holds no state but its connections.
#[derive(Debug)]
pub struct Engine {
    rpc: Rpc,
}

/// Whether an engine is at the head of its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncState {
    /// It is.
    Synced,
    /// It is not; block numbers, where it tells them.
    Syncing {
        /// Where it is.
        current: u64,
        /// Where it is going.
        highest: u64,
    },
}

/// Who made an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientVersion {
    /// Two letters, such as `GE`.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The first four bytes of its commit.
    pub commit: FixedBytes<4>,
}

impl Engine {
    /// A client; nothing is sent yet.
    pub fn new(config: RpcConfig) -> Self {
        Self { rpc: Rpc::new(config) }
    }

    /// The engine's address.
    pub fn url(&self) -> &str {
        self.rpc.url()
    }

    pub(crate) async fn call<T>(
        &self,
        method: &'static Method,
        params: Value,
        read: impl FnOnce(&Value) -> std::result::Result<T, Malformed>,
    ) -> Result<T> {
        let result = self.rpc.call(method, params).await?;
        read(&result).map_err(|what| EngineError::Malformed { method: method.name, what })
    }

    /// `engine_newPayload`.
    pub async fn new_payload(&self, request: &NewPayload) -> Result<PayloadStatus> {
        let method = at(request.fork, "engine_newPayload", method::new_payload)?;
        self.call(method, codec::new_payload_to_params(request), codec::status_from_json).await
    }

    /// `engine_forkchoiceUpdated`; the fork is that of the payload to build, else of the head.
    pub async fn forkchoice_updated(
        &self,
        fork: ForkName,
        state: &ForkchoiceState,
        attributes: Option<&PayloadAttributes>,
    ) -> Result<(PayloadStatus, Option<PayloadId>)> {
        let method = at(fork, "engine_forkchoiceUpdated", method::forkchoice_updated)?;
        let attributes = attributes.map(|attributes| codec::attributes_to_json(fork, attributes));
        let params = json!([codec::forkchoice_state_to_json(state), attributes]);
        self.call(method, params, codec::forkchoice_reply_from_json).await
    }

    /// `engine_getPayload`.
    pub async fn get_payload(&self, fork: ForkName, id: PayloadId) -> Result<BuiltPayload> {
        let method = at(fork, "engine_getPayload", method::get_payload)?;
        let params = json!([data_to_json(&id.0)]);
        self.call(method, params, |value| codec::built_payload_from_json(fork, value)).await
    }

    /// `engine_getPayloadBodiesByHashV1`, for at most 32 blocks.
    pub async fn get_payload_bodies_by_hash(&self, hashes: &[Root]) -> Result<Vec<Option<PayloadBody>>> {
        at_most(BODIES_MAX, hashes.len(), &method::GET_PAYLOAD_BODIES_BY_HASH_V1)?;
        let params = json!([roots_to_json(hashes)]);
        let read = |value: &_| codec::bodies_from_json(Some(hashes.len()), value);
        self.call(&method::GET_PAYLOAD_BODIES_BY_HASH_V1, params, read).await
    }

    /// `engine_getPayloadBodiesByRangeV1`, for at most 32 blocks. The answer ends at the engine's newest block.
    pub async fn get_payload_bodies_by_range(
        &self,
        first: u64,
        count: u64,
    ) -> Result<Vec<Option<PayloadBody>>> {
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        at_most(BODIES_MAX, most, &method::GET_PAYLOAD_BODIES_BY_RANGE_V1)?;
        let params = json!([quantity_to_json(first), quantity_to_json(count)]);
        let read = |value: &_| {
            let bodies = codec::bodies_from_json(None, value)?;
            if bodies.len() > most {
                Err(Malformed::new("more bodies than were asked for"))
            } else {
                Ok(bodies)
            }
        };
        self.call(&method::GET_PAYLOAD_BODIES_BY_RANGE_V1, params, read).await
    }

    /// `engine_getBlobs`, for at most 128 blobs of a block of a fork.
    pub async fn get_blobs(&self, fork: ForkName, hashes: &[Root]) -> Result<Vec<Option<BlobAndProofs>>> {
        let method = at(fork, "engine_getBlobs", method::get_blobs)?;
        at_most(BLOBS_MAX, hashes.len(), method)?;
        let params = json!([roots_to_json(hashes)]);
        self.call(method, params, |value| codec::blobs_from_json(fork, hashes.len(), value)).await
    }

    /// `engine_exchangeCapabilities`: what the engine may be called with.
    pub async fn exchange_capabilities(&self) -> Result<Vec<String>> {
        let read = |value: &_| codec::each(value, |value| codec::text(value).map(str::to_owned));
        self.call(&method::EXCHANGE_CAPABILITIES, json!([method::capabilities()]), read).await
    }

    /// `engine_getClientVersionV1`: who the engine is, and who it speaks for where it is several.
    pub async fn client_version(&self, ours: &ClientVersion) -> Result<Vec<ClientVersion>> {
        let ours = json!([{
            "code": ours.code,
            "name": ours.name,
            "version": ours.version,
            "commit": data_to_json(&ours.commit.0),
        }]);
        let read = |value: &_| {
            codec::each(value, |value| {
                let object = Object::of(value)?;
                let text = |key| object.get(key, |value| codec::text(value).map(shortened));
                let (code, name, version) = (text("code")?, text("name")?, text("version")?);
                Ok(ClientVersion { code, name, version, commit: object.get("commit", codec::fixed)? })
            })
        };
        self.call(&method::GET_CLIENT_VERSION_V1, ours, read).await
    }

    /// `eth_syncing`.
    pub async fn syncing(&self) -> Result<SyncState> {
        let read = |value: &Value| {
            if *value == Value::Bool(false) {
                return Ok(SyncState::Synced);
            }
            let object = Object::of(value)?;
            let number = |key| Ok(object.optional(key, codec::quantity)?.unwrap_or(0));
            Ok(SyncState::Syncing { current: number("currentBlock")?, highest: number("highestBlock")? })
        };
        self.call(&method::ETH_SYNCING, json!([]), read).await
    }

    /// `eth_chainId`.
    pub async fn chain_id(&self) -> Result<u64> {
        self.call(&method::ETH_CHAIN_ID, json!([]), codec::quantity).await
    }
}

fn at(
    fork: ForkName,
    what: &'static str,
    version: impl FnOnce(ForkName) -> Option<&'static Method>,
) -> Result<&'static Method> {
    version(fork).ok_or(EngineError::NoSuchMethod { what, fork })
}

/// Refuses here what every engine would refuse: more than one answer may hold.
fn at_most(limit: usize, asked: usize, method: &'static Method) -> Result<()> {
    if asked <= limit {
        return Ok(());
    }
    // The Engine API's code for a request that is too large.
    let message = format!("{asked} were asked for, one answer holds {limit}");
    Err(EngineError::Refused { method: method.name, code: -38004, message })
}

fn roots_to_json(roots: &[Root]) -> Value {
    roots.iter().map(|root| data_to_json(&root.0)).collect()
}
