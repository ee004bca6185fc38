//! `interlock ssz`: decode, hash and print SSZ values.

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use ssz::{Ctx, Ssz as SszValue, SszExt};
use types::ForkName;

use crate::input::read_ssz;
use crate::network_choice::NetworkChoice;
use crate::output::write_file;

/// Commands on SSZ values.
#[derive(Subcommand)]
pub enum Ssz {
    /// Print the hash tree root of a value.
    Root(Value),
    /// Print a value as JSON, in the form of the Beacon API.
    Json(Value),
    /// Read a value's JSON and write its SSZ encoding.
    Encode {
        #[command(flatten)]
        value: Value,
        /// Where to write the encoding.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Decode a value and write it again; fails where the bytes differ.
    Check(Value),
    /// Print the schema of a type at a preset and fork.
    Schema {
        #[command(flatten)]
        kind: Kind,
    },
}

/// A value: its type, and the file that holds it.
#[derive(Args)]
pub struct Value {
    #[command(flatten)]
    kind: Kind,
    /// The file: .ssz, .ssz_snappy, or .json for `encode`.
    file: PathBuf,
}

/// A type at a preset and fork.
#[derive(Args)]
pub struct Kind {
    #[command(flatten)]
    network: NetworkChoice,
    /// The fork whose form the value has: phase0, altair, bellatrix, capella, deneb, electra, fulu.
    #[arg(long)]
    fork: ForkName,
    /// The container's name, for example BeaconState or SignedBeaconBlock.
    #[arg(long = "type", value_name = "TYPE")]
    name: String,
}

impl Kind {
    fn ctx(&self) -> anyhow::Result<Ctx> {
        Ok(self.network.spec_at(self.fork)?.ctx(self.fork))
    }

    fn unknown<T>(&self) -> anyhow::Result<T> {
        bail!("no type {:?}; names are those of the specification, such as BeaconState", self.name)
    }
}

impl Value {
    fn decode<T: SszValue>(&self, ctx: Ctx) -> anyhow::Result<(Vec<u8>, T)> {
        let bytes = read_ssz(&self.file)?;
        let value = T::from_ssz(&bytes, ctx).map_err(|error| {
            anyhow!("{}: no {} of {}: {error}", self.file.display(), self.kind.name, self.kind.fork)
        })?;
        Ok((bytes, value))
    }

    fn root<T: SszValue>(&self) -> anyhow::Result<()> {
        let ctx = self.kind.ctx()?;
        let (_, value) = self.decode::<T>(ctx)?;
        println!("{}", value.hash_tree_root(ctx));
        Ok(())
    }

    fn json<T: SszValue>(&self) -> anyhow::Result<()> {
        let ctx = self.kind.ctx()?;
        let (_, value) = self.decode::<T>(ctx)?;
        println!("{}", value.to_json_string(ctx));
        Ok(())
    }

    fn check<T: SszValue>(&self) -> anyhow::Result<()> {
        let ctx = self.kind.ctx()?;
        let (bytes, value) = self.decode::<T>(ctx)?;
        let again = value.to_ssz(ctx);
        if again != bytes {
            bail!(
                "{}: encodes to other bytes ({} instead of {})",
                self.file.display(),
                again.len(),
                bytes.len()
            );
        }
        println!("{} bytes, encoded again byte for byte", bytes.len());
        Ok(())
    }

    fn encode<T: SszValue>(&self, out: &std::path::Path) -> anyhow::Result<()> {
        let ctx = self.kind.ctx()?;
        let name = || self.file.display().to_string();
        let text = std::fs::read_to_string(&self.file).with_context(name)?;
        let json = serde_json::from_str(&text).with_context(name)?;
        let value = T::from_json(&json, ctx).with_context(name)?;
        write_file(out, &value.to_ssz(ctx))
    }
}

impl Ssz {
    /// Runs the command.
    pub fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Root(value) => {
                types::with_container!(value.kind.name.as_str(), T => value.root::<T>(), else { value.kind.unknown() })
            }
            Self::Json(value) => {
                types::with_container!(value.kind.name.as_str(), T => value.json::<T>(), else { value.kind.unknown() })
            }
            Self::Check(value) => {
                types::with_container!(value.kind.name.as_str(), T => value.check::<T>(), else { value.kind.unknown() })
            }
            Self::Encode { value, out } => types::with_container!(
                value.kind.name.as_str(), T => value.encode::<T>(out), else { value.kind.unknown() }
            ),
            Self::Schema { kind } => {
                let ctx = kind.ctx()?;
                let schema = types::with_container!(
                    kind.name.as_str(), T => Ok(T::schema_of(ctx)), else { kind.unknown() }
                )?;
                println!("{schema:#?}");
                Ok(())
            }
        }
    }
}
