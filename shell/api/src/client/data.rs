//! Blobs and columns of blocks, for tools.

use types::{BlobSidecar, Bytes, Ctx, DataColumnSidecar, ForkName, Spec, Ssz, SszExt};

use super::forms::{Answer, Form};
use super::{Client, Result};
use crate::BlockId;
use crate::lists::decode_list;

impl Client {
    /// `beacon/blob_sidecars` of a block before Fulu.
    pub async fn blob_sidecars(&self, spec: &'static Spec, id: BlockId) -> Result<Vec<BlobSidecar>> {
        let path = format!("/eth/v1/beacon/blob_sidecars/{id}");
        self.data(&path, spec, ForkName::Deneb).await
    }

    /// `debug/beacon/data_column_sidecars` of a block since Fulu: those that the node has.
    pub async fn data_column_sidecars(
        &self,
        spec: &'static Spec,
        id: BlockId,
    ) -> Result<Vec<DataColumnSidecar>> {
        let path = format!("/eth/v1/debug/beacon/data_column_sidecars/{id}");
        self.data(&path, spec, ForkName::Fulu).await
    }

    /// `beacon/blobs`: the blobs of a block in the order of its commitments.
    pub async fn blobs(&self, spec: &'static Spec, id: BlockId) -> Result<Vec<Bytes>> {
        let path = format!("/eth/v1/beacon/blobs/{id}");
        let answer = self.send(&Form::get(path.clone()).preferring_ssz()).await?;
        let size = spec.preset.field_elements_per_blob * types::constants::BYTES_PER_FIELD_ELEMENT;
        if let Some(bytes) = answer.ssz() {
            let is_whole = (bytes.len() as u64).is_multiple_of(size);
            let blobs = bytes.chunks(size as usize).map(|blob| Bytes(blob.to_vec())).collect();
            return self.read(&path, is_whole.then_some(blobs).ok_or("no whole number of blobs"));
        }
        let json = self.read(&path, answer.json())?;
        let blob = |value: &serde_json::Value| {
            let text = value.as_str().unwrap_or_default();
            self.read(&path, ssz::parse_hex(text).map(Bytes))
        };
        self.list(&path, &json)?.iter().map(blob).collect()
    }

    async fn data<T: Ssz>(&self, path: &str, spec: &'static Spec, at_least: ForkName) -> Result<Vec<T>> {
        let answer = self.send(&Form::get(path.to_owned()).preferring_ssz()).await?;
        let ctx = spec.ctx(answer.fork().unwrap_or(at_least));
        self.read(path, self.items(&answer, ctx))
    }

    fn items<T: Ssz>(&self, answer: &Answer, ctx: Ctx) -> std::result::Result<Vec<T>, String> {
        if let Some(bytes) = answer.ssz() {
            return decode_list(bytes, usize::MAX, ctx);
        }
        let json = answer.json()?;
        let items = json["data"].as_array().ok_or("data is no array")?;
        items.iter().map(|item| T::from_json(item, ctx).map_err(|error| error.to_string())).collect()
    }
}
