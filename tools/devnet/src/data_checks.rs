//! What nodes answer about blocks, their columns and their blobs, and whether it is what it should be.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use api::{BlockId, ClientError};
use data_availability::custody::sampling_columns;
use data_availability::{ColumnIndex, Sidecar};
use enr::{CombinedKey, Enr};
use types::{DataColumnSidecar, Root, Slot, Spec};

use crate::NodeProbe;

/// A block of the chain.
pub(crate) type Place = (Slot, Root);

/// The columns that a node must have, by the identity and the number of custody groups in its record.
pub(crate) async fn custody(spec: &Spec, probe: &NodeProbe) -> anyhow::Result<BTreeSet<ColumnIndex>> {
    let identity = probe.client().identity().await?;
    let record = identity["enr"].as_str().context("node/identity has no enr")?;
    columns_of_record(spec, record).with_context(|| probe.name().to_owned())
}

fn columns_of_record(spec: &Spec, record: &str) -> anyhow::Result<BTreeSet<ColumnIndex>> {
    let record: Enr<CombinedKey> = record.parse().map_err(|why| anyhow!("a bad node record: {why}"))?;
    let groups = record.get_decodable::<u64>("cgc").context("the node record has no cgc")?;
    let groups = groups.map_err(|why| anyhow!("the node record's cgc: {why}"))?;
    Ok(sampling_columns(spec, &record.node_id().raw(), groups)?)
}

/// The blocks of a node's chain in these slots.
pub(crate) async fn canonical(probe: &NodeProbe, slots: Range<Slot>) -> anyhow::Result<Vec<Place>> {
    let mut blocks = Vec::new();
    for slot in slots.start.0..slots.end.0 {
        if let Some((root, slot)) = header(probe, &slot.to_string()).await? {
            blocks.push((slot, root));
        }
    }
    Ok(blocks)
}

/// Root and slot of a block that a node has imported.
pub(crate) async fn header(probe: &NodeProbe, id: &str) -> Result<Option<(Root, Slot)>, ClientError> {
    match probe.client().header(id).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The columns of a block that a node has, each with one cell for each of so many blobs.
pub(crate) async fn columns(
    spec: &'static Spec,
    probe: &NodeProbe,
    root: Root,
    blobs: u64,
) -> anyhow::Result<Vec<DataColumnSidecar>> {
    let columns = probe.client().data_column_sidecars(spec, BlockId::Root(root)).await?;
    for column in &columns {
        let of = Sidecar::Column(Arc::new(column.clone())).block_root();
        ensure!(of == root, "column {} of block {root} belongs to block {of}", column.index);
        let counts = [&column.column.len(), &column.kzg_commitments.len(), &column.kzg_proofs.len()];
        ensure!(
            counts.iter().all(|count| **count as u64 == blobs),
            "column {} of block {root} has {counts:?} cells, commitments and proofs for {blobs} blobs",
            column.index
        );
    }
    Ok(columns)
}

/// Where the columns are not those, which ones are missing and which too many.
pub(crate) fn check_indices(
    expected: &BTreeSet<ColumnIndex>,
    columns: &[DataColumnSidecar],
) -> anyhow::Result<()> {
    let found: BTreeSet<ColumnIndex> = columns.iter().map(|column| column.index).collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let more: Vec<_> = found.difference(expected).collect();
    ensure!(missing.is_empty() && more.is_empty(), "columns {missing:?} are missing, {more:?} are too many");
    Ok(())
}

/// Whether a node's blobs of a block are those that its columns consist of. All columns must be here: the first half of
/// them, put one after the other, are the blobs.
pub(crate) async fn check_blobs(
    spec: &'static Spec,
    probe: &NodeProbe,
    root: Root,
    columns: &[DataColumnSidecar],
) -> anyhow::Result<()> {
    let blobs = probe.client().blobs(spec, BlockId::Root(root)).await?;
    let half = &columns[..columns.len() / 2];
    let count = half.first().map_or(0, |column| column.column.len());
    ensure!(blobs.len() == count, "{} blobs are served, {count} were published", blobs.len());
    for (place, blob) in blobs.iter().enumerate() {
        let cells = half.iter().flat_map(|column| &column.column[place].0);
        ensure!(cells.eq(&blob.0), "blob {place} is another one than that of the columns");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_node_follow_from_its_record() {
        let spec = Spec::minimal();
        let key = CombinedKey::generate_secp256k1();
        let record = |groups: u64| Enr::builder().add_value("cgc", &groups).build(&key).unwrap().to_base64();
        let few = columns_of_record(spec, &record(4)).unwrap();
        assert_eq!(few.len(), 8, "a node samples eight columns whatever it keeps for others");
        assert_eq!(columns_of_record(spec, &record(128)).unwrap().len(), 128);
        let silent = Enr::builder().build(&key).unwrap().to_base64();
        assert!(columns_of_record(spec, &silent).unwrap_err().to_string().contains("no cgc"));
        assert!(columns_of_record(spec, "enr:-abc").is_err());
    }

    #[test]
    fn missing_and_surplus_columns_are_named() {
        let columns = [2, 5].map(|index| DataColumnSidecar { index, ..DataColumnSidecar::default() });
        check_indices(&[2, 5].into(), &columns).unwrap();
        let error = check_indices(&[2, 7].into(), &columns).unwrap_err().to_string();
        assert_eq!(error, "columns [7] are missing, [5] are too many");
    }
}
