//! What a finding is told in: a vector, and a text that names the difference part by part.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use inspect::{Change, Leaf, Value};

use crate::case::{Case, Outcome};
use crate::judge::{Answers, Verdict};
use crate::peer::PeerName;
use crate::recipe::{Kitchen, Recipe};
use crate::schedule::spec_of;
use crate::vector;

/// How many differences a text names.
const DIFFERENCES_SHOWN: usize = 40;

/// A difference that was found.
pub struct Finding<'a> {
    /// How its smallest case is made.
    pub recipe: &'a Recipe,
    /// The case.
    pub case: &'a Case,
    /// What everybody says of it, with states.
    pub answers: &'a Answers,
    /// Who differs.
    pub verdict: &'a Verdict,
}

impl Finding<'_> {
    fn who(&self) -> &'static str {
        match self.verdict {
            Verdict::OursDiffers(_) => "ours",
            Verdict::TheirsDiffers(name) => name.as_str(),
            Verdict::Same | Verdict::Known(_) => "nobody",
        }
    }

    /// What is taken to be right: the first of the others that answered.
    fn reference(&self) -> Option<&(PeerName, Outcome)> {
        self.answers.theirs.iter().find(|(_, outcome)| !matches!(outcome, Outcome::NoAnswer(_)))
    }

    /// Writes the vector and the text below `out`; the folder of both.
    pub fn write(&self, out: &Path, kitchen: &Kitchen) -> anyhow::Result<PathBuf> {
        let name = format!("{}_{}_{}", self.who(), self.recipe.fork, self.recipe.seed);
        let folder = std::path::absolute(out)?.join(&name);
        let (_, reference) = self.reference().context("nobody answered")?;
        vector::write(&folder.join("vector"), &name, self.case, &self.answers.ours, reference, kitchen)?;
        std::fs::write(folder.join("recipe.json"), serde_json::to_string_pretty(self.recipe)?)?;
        std::fs::write(folder.join("report.txt"), self.text(&folder)?)?;
        Ok(folder)
    }

    fn text(&self, folder: &Path) -> anyhow::Result<String> {
        let Self { recipe, case, answers, .. } = self;
        let mut text = String::new();
        let signatures = if case.signatures { "verified" } else { "not verified" };
        writeln!(
            text,
            "{} differs: {} {}, {}, signatures {signatures}, seed {}",
            self.who(),
            case.preset,
            case.fork,
            case.action,
            recipe.seed
        )?;
        writeln!(text, "\nours      {}", answers.ours)?;
        for (name, outcome) in &answers.theirs {
            writeln!(text, "{name:<9} {outcome}")?;
        }
        writeln!(text, "\nchanges of the state before and of the blocks or the operation:")?;
        for mutation in &recipe.mutations {
            writeln!(text, "  {:?} {} {:?}", mutation.part, mutation.path, mutation.change)?;
        }
        for (name, outcome) in &answers.theirs {
            if let (Some(ours), Some(theirs)) = (answers.ours.post(), outcome.post())
                && ours != theirs
            {
                writeln!(text, "\nthe state after, ours and that of {name}:")?;
                text.push_str(&differences(case, ours, theirs)?);
            }
        }
        let vector = folder.join("vector");
        let out = folder.parent().unwrap_or(folder);
        writeln!(text, "\nto run the vector again (it fails as long as ours differs):")?;
        writeln!(text, "  cargo run --release -p differential -- replay {}", vector.display())?;
        writeln!(text, "  cargo run --release -p spec_tests -- {}", vector.display())?;
        writeln!(text, "to draw the case again:")?;
        let (seed, fork, preset) = (recipe.seed, &recipe.fork, &recipe.preset);
        let against: Vec<&str> = answers.theirs.iter().map(|(name, _)| name.as_str()).collect();
        writeln!(
            text,
            "  cargo run --release -p differential -- run --seeds {seed}..{} --fork {fork} --preset {preset} \
             --against {} --out {}",
            seed + 1,
            against.join(","),
            out.display()
        )?;
        Ok(text)
    }
}

/// The differences of two states, part by part.
pub fn differences(case: &Case, ours: &[u8], theirs: &[u8]) -> anyhow::Result<String> {
    let ctx = spec_of(&case.preset, case.fork)?.ctx(case.fork);
    let schema = inspect::schema_by_name("BeaconState", ctx).context("states have a schema")?;
    let (Ok(ours), Ok(theirs)) = (Value::read(&schema, ours), Value::read(&schema, theirs)) else {
        return Ok("  one of them is no state\n".to_owned());
    };
    let (mut text, mut count) = (String::new(), 0);
    inspect::diff(ours, theirs, |difference| {
        count += 1;
        if count <= DIFFERENCES_SHOWN {
            let change = match difference.change {
                Change::Changed(ours, theirs) => format!("{} <> {}", shown(&ours), shown(&theirs)),
                Change::Added(theirs) => format!("nothing <> {}", shown(&theirs)),
                Change::Removed(ours) => format!("{} <> nothing", shown(&ours)),
            };
            text.push_str(&format!("  {}: {change}\n", difference.path));
        }
        true
    });
    if count > DIFFERENCES_SHOWN {
        text.push_str(&format!("  and {} more\n", count - DIFFERENCES_SHOWN));
    }
    Ok(text)
}

fn shown(value: &Value<'_>) -> String {
    match value.leaf() {
        Some(Leaf::Number(number)) => number.to_string(),
        Some(Leaf::Boolean(value)) => value.to_string(),
        _ => format!("0x{}", hex::encode(value.bytes())),
    }
}
