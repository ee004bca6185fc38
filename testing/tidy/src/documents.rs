//! The documents against the code: a promise that the code does not keep is found here.

use syn::visit::Visit;

use crate::commands::CommandLine;
use crate::{Repository, SourceFile, Violation};

/// An invariant of ARCHITECTURE.md: a list item `- **I7** …` with its guards in a line `Guarded by: …` below it.
#[derive(Debug)]
pub struct Invariant {
    /// Its number.
    pub number: usize,
    /// Its line.
    pub line: usize,
    /// The tests that guard it, as `package: test_name`.
    pub guards: Vec<String>,
}

/// The invariants in their order.
pub fn invariants(architecture: &SourceFile) -> Vec<Invariant> {
    let mut found: Vec<Invariant> = Vec::new();
    let mut in_guards = false;
    for (index, line) in architecture.text.lines().enumerate() {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("- **I") {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let number = digits.parse().expect("an invariant has a number");
            found.push(Invariant { number, line: index + 1, guards: Vec::new() });
        }
        in_guards =
            (in_guards || line.starts_with("Guarded by:")) && !line.is_empty() && !line.starts_with("- **I");
        if in_guards && let Some(invariant) = found.last_mut() {
            invariant.guards.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// Invariants out of their order, without a guard, or with one that does not exist.
pub fn unguarded(repository: &Repository) -> Vec<Violation> {
    let architecture = repository.must("ARCHITECTURE.md");
    let tests = tests(repository);
    let mut found = Vec::new();
    for (index, invariant) in invariants(architecture).iter().enumerate() {
        let mut report = |message| found.push(Violation::new(&architecture.path, invariant.line, message));
        if invariant.number != index + 1 {
            report(format!("I{} stands where I{} belongs", invariant.number, index + 1));
        }
        if invariant.guards.is_empty() {
            report(format!("I{} names no test", invariant.number));
        }
        for guard in &invariant.guards {
            if !tests.contains(guard) {
                report(format!(
                    "I{} is guarded by `{guard}`, which is no test (package: test_name)",
                    invariant.number
                ));
            }
        }
    }
    found
}

/// Every test of the repository, as `core/ssz: test_name`. A test program of its own without the usual harness counts
/// by its file: `testing/spec_tests: vectors`.
pub fn tests(repository: &Repository) -> Vec<String> {
    struct Tests(Vec<String>);
    impl<'ast> Visit<'ast> for Tests {
        fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
            let is_test = |attribute: &syn::Attribute| {
                attribute.path().segments.last().is_some_and(|segment| segment.ident == "test")
            };
            if item.attrs.iter().any(is_test) {
                self.0.push(item.sig.ident.to_string());
            }
        }
    }
    let mut found = Vec::new();
    for file in repository.rust() {
        let mut visitor = Tests(Vec::new());
        visitor.visit_file(&file.parse());
        found.extend(visitor.0.into_iter().map(|name| format!("{}: {name}", file.package())));
        if let Some((_, name)) = file.path.split_once("/tests/") {
            found.push(format!("{}: {}", file.package(), name.trim_end_matches(".rs")));
        }
    }
    found
}

/// The invocations of the binary in a document, as (line, words without the program): lines of `sh` blocks, and code
/// spans, that begin with `interlock` or `cargo run --release --`.
pub fn invocations(document: &SourceFile) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (index, line) in document.text.lines().enumerate() {
        if line.starts_with("```") {
            in_block = !in_block;
            continue;
        }
        let texts: Vec<&str> =
            if in_block { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        for text in texts {
            let text = text.trim().trim_end_matches('\\');
            let rest =
                text.strip_prefix("interlock ").or_else(|| text.strip_prefix("cargo run --release -- "));
            if let Some(rest) = rest {
                found.push((index + 1, rest.split_whitespace().map(str::to_owned).collect()));
            }
        }
    }
    found
}

/// Commands and options in a document that the binary does not have.
pub fn unknown_commands(document: &SourceFile, command_line: &CommandLine) -> Vec<Violation> {
    invocations(document)
        .into_iter()
        .filter_map(|(line, words)| {
            let words: Vec<&str> = words.iter().map(|word| word.trim_matches(['[', ']', '…'])).collect();
            command_line.check(&words).err().map(|message| Violation::new(&document.path, line, message))
        })
        .collect()
}

/// Commands of the binary that the document's table does not list.
pub fn unlisted_commands(document: &SourceFile, command_line: &CommandLine) -> Vec<Violation> {
    let rows: Vec<&str> = document.text.lines().filter(|line| line.starts_with("| `interlock ")).collect();
    command_line
        .commands()
        .into_iter()
        .filter(|command| {
            let cell = format!("`interlock {command}");
            !rows.iter().any(|row| {
                row.match_indices(&cell).any(|(at, _)| row[at + cell.len()..].starts_with(['`', ' ']))
            })
        })
        .map(|command| Violation::new(&document.path, 0, format!("the table lists no `interlock {command}`")))
        .collect()
}

/// The commands that the README tells to type: the lines of its `sh` blocks that begin with `cargo`.
pub fn promised(readme: &SourceFile) -> Vec<String> {
    let mut in_block = false;
    let mut found = Vec::new();
    for line in readme.text.lines() {
        if line.starts_with("```") {
            in_block = line == "```sh";
        } else if in_block && line.starts_with("cargo ") {
            found.push(line.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(architecture: &str) -> Repository {
        let code =
            "#[test] fn sums_hold() {} fn no_test() {} mod tests { #[tokio::test] async fn peers_meet() {} }";
        Repository {
            files: vec![
                SourceFile::new("ARCHITECTURE.md", architecture),
                SourceFile::new("core/x/src/a.rs", code),
                SourceFile::new("core/x/tests/vectors.rs", "fn main() {}"),
            ],
        }
    }

    fn messages(architecture: &str) -> Vec<String> {
        unguarded(&repository(architecture)).into_iter().map(|violation| violation.message).collect()
    }

    #[test]
    fn every_invariant_names_tests_that_exist() {
        let good = "- **I1** Sums.\n  Guarded by: `core/x: sums_hold`,\n  `core/x: peers_meet`.\n- **I2** All.\n  Guarded by: `core/x: vectors`.\n";
        assert_eq!(messages(good), [""; 0]);
        assert_eq!(messages("- **I1** Sums of `core/x`.\n").len(), 1);
        assert_eq!(messages("- **I1** a\n  Guarded by: `core/x: no_test`.").len(), 1);
        assert_eq!(messages("- **I1** a\n  Guarded by: `core/y: sums_hold`.").len(), 1);
        assert_eq!(messages("- **I2** a\n  Guarded by: `core/x: sums_hold`.").len(), 1);
    }

    #[test]
    fn invocations_are_read_from_blocks_and_spans() {
        let text = "Say `interlock ssz root x`, not `ssz`.\n```sh\ncargo run --release -- devnet --nodes 4\nls\n```\n";
        let found = invocations(&SourceFile::new("README.md", text));
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], (1, vec!["ssz".into(), "root".into(), "x".into()]));
        assert_eq!(found[1].1.join(" "), "devnet --nodes 4");
        assert_eq!(
            promised(&SourceFile::new("README.md", text)),
            ["cargo run --release -- devnet --nodes 4"]
        );
    }

    #[test]
    fn the_table_lists_every_command() {
        let main = "use clap::Subcommand; #[derive(Subcommand)] enum Command { Ssz, Keys }";
        let repository = Repository { files: vec![SourceFile::new("bin/interlock/src/main.rs", main)] };
        let command_line = CommandLine::read(&repository);
        let readme = SourceFile::new("README.md", "| `interlock ssz` | x |\n| `interlock keyset` | y |\n");
        let found = unlisted_commands(&readme, &command_line);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("interlock keys"));
        assert_eq!(unknown_commands(&readme, &command_line).len(), 1);
    }
}
