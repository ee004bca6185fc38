//! `fuzz_targets seeds DIR`: writes what each target begins with. `fuzz_targets run TARGET FILE...`: runs inputs.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use fuzz_targets::{TARGETS, seeds};

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["seeds", folder] => {
            for (name, _) in TARGETS {
                let folder = Path::new(folder).join(name);
                std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
                for (seed, bytes) in seeds(name) {
                    std::fs::write(folder.join(format!("seed-{seed}")), bytes)?;
                }
            }
        }
        ["run", name, files @ ..] => {
            let found = TARGETS.iter().find(|(target, _)| target == name);
            let (_, target) = found.with_context(|| format!("no target {name}"))?;
            for file in files {
                target(&std::fs::read(file).with_context(|| (*file).to_owned())?);
                println!("passed: {file}");
            }
        }
        _ => bail!("usage: fuzz_targets seeds DIR | run TARGET FILE..."),
    }
    Ok(ExitCode::SUCCESS)
}
