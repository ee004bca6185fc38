//! The core is sans-I/O: the same inputs give the same outputs, in a simulation as in production.

use crate::tokens::{reads, words};
use crate::{SourceFile, Violation};

/// What may not be written below `core/`, as words, and why.
const FORBIDDEN: [(&[&str], &str); 26] = [
    (&["Instant", ":", ":", "now"], "reads a clock"),
    (&["SystemTime"], "reads a clock"),
    (&["std", ":", ":", "fs"], "touches files"),
    (&["fs", ":", ":"], "touches files"),
    (&["File", ":", ":"], "touches files"),
    (&["std", ":", ":", "net"], "opens sockets"),
    (&["TcpStream"], "opens sockets"),
    (&["UdpSocket"], "opens sockets"),
    (&["thread", ":", ":"], "starts or stops threads"),
    (&["std", ":", ":", "thread"], "starts or stops threads"),
    (&["Mutex"], "waits on a lock"),
    (&["RwLock"], "waits on a lock"),
    (&["Condvar"], "waits on a lock"),
    (&["mpsc"], "waits on a channel"),
    (&["async", "fn"], "is asynchronous"),
    (&["async", "move"], "is asynchronous"),
    (&["async", "{"], "is asynchronous"),
    (&[".", "await"], "is asynchronous"),
    (&["std", ":", ":", "env"], "reads its environment"),
    (&["env", ":", ":", "var"], "reads its environment"),
    (&["std", ":", ":", "process"], "acts on processes"),
    (&["println", "!"], "prints"),
    (&["eprintln", "!"], "prints"),
    (&["thread_rng"], "draws unseeded randomness"),
    (&["OsRng"], "draws unseeded randomness"),
    (&["getrandom"], "draws unseeded randomness"),
];

/// Impure uses in a file of `core/`, its tests excepted: a test may read a file or print.
pub fn violations(file: &SourceFile) -> Vec<Violation> {
    if !file.path.starts_with("core/") || !file.path.contains("/src/") || is_test_file(&file.path) {
        return Vec::new();
    }
    let row = words(&without_tests(file));
    let mut found = Vec::new();
    for at in 0..row.len() {
        for (pattern, why) in FORBIDDEN {
            if reads(&row, at, pattern) {
                let message = format!("{} {why}; the core is sans-I/O", pattern.concat());
                found.push(Violation::new(&file.path, row[at].line, message));
            }
        }
    }
    // `std::fs::read` is both std::fs and fs::.
    found.dedup_by(|later, earlier| later.line == earlier.line);
    found
}

/// A file that its parent declares under `#[cfg(test)]`, by the names that this repository gives to such files.
pub(crate) fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().expect("a split has a last part");
    name == "tests.rs" || name.ends_with("_tests.rs") || name == "fixture.rs" || path.contains("/tests/")
}

/// The text with the lines of `#[cfg(test)]` items blanked, so that line numbers stay.
fn without_tests(file: &SourceFile) -> String {
    use syn::spanned::Spanned;
    let mut lines: Vec<&str> = file.text.lines().collect();
    for item in &file.parse().items {
        let attributes: &[syn::Attribute] = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => &[],
        };
        let is_test = attributes.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
        });
        if is_test {
            let (first, last) = (item.span().start().line, item.span().end().line);
            lines[first - 1..last].fill("");
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        violations(&SourceFile::new("core/x/src/a.rs", text)).into_iter().map(|found| found.line).collect()
    }

    #[test]
    fn clocks_files_threads_locks_and_randomness_are_found_with_their_line() {
        assert_eq!(lines("fn f() {\n    let now = std::time::Instant::now();\n}"), [2]);
        assert_eq!(lines("use std::fs;\nuse std::sync::Mutex;\nuse std::sync::{Arc, RwLock};"), [1, 2, 3]);
        assert_eq!(lines("fn f() { std::thread::spawn(|| {}); }\nasync fn g() {}"), [1, 2]);
        assert_eq!(lines("fn f() { rand::thread_rng(); }"), [1]);
    }

    #[test]
    fn comments_texts_tests_and_memo_cells_are_free() {
        assert_eq!(lines("// Mutex\n/// std::fs\nfn f() -> &'static str { \"Mutex\" }"), []);
        assert_eq!(lines("#[cfg(test)]\nmod tests {\n    use std::fs;\n}\nuse std::sync::OnceLock;"), []);
        assert!(violations(&SourceFile::new("shell/x/src/a.rs", "use std::fs;")).is_empty());
    }
}
