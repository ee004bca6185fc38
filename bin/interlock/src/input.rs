//! Input files: plain SSZ, or snappy-compressed as the official vectors are.

use std::path::Path;

use anyhow::Context;

/// The SSZ bytes of a file; `.ssz_snappy` is decompressed.
pub fn read_ssz(path: &Path) -> anyhow::Result<Vec<u8>> {
    let name = || path.display().to_string();
    let bytes = std::fs::read(path).with_context(name)?;
    if path.extension().is_some_and(|extension| extension == "ssz_snappy") {
        return snap::raw::Decoder::new().decompress_vec(&bytes).with_context(name);
    }
    Ok(bytes)
}
