//! What no file says, in code, comments or documents.

use crate::{SourceFile, Violation};

// The words are put together here, so that this file does not say them itself.
const OPEN_ENDS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];
const REGISTRY_HOSTS: [&str; 6] = [
    concat!("registry.", "npmjs.org"),
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
    concat!("pypi", ".org"),
    concat!("deb.", "debian.org"),
    concat!("files.", "pythonhosted.org"),
];
const TRACKERS: [&str; 3] = ["issue", "ticket", "PR"];

/// Open ends without a word about what is missing: `NAME: at least three words` is a note, the bare name is not.
pub fn open_ends(file: &SourceFile) -> Vec<Violation> {
    find(file, |line| {
        let (at, end) = OPEN_ENDS.iter().find_map(|end| Some((find_word(line, end)?, end)))?;
        let note = line[at + end.len()..].strip_prefix(':').unwrap_or_default();
        (note.split_whitespace().count() < 3)
            .then(|| format!("{end} without a note of what is missing and why"))
    })
}

/// Paths of one machine and hosts of package registries: the files must work elsewhere.
pub fn machine_paths(file: &SourceFile) -> Vec<Violation> {
    find(file, |line| {
        MACHINE_PATHS
            .iter()
            .chain(&REGISTRY_HOSTS)
            .find(|text| line.contains(**text))
            .map(|text| format!("{text} is a place of one machine"))
    })
}

/// Numbers of a tracker: what there is to say is said in the file.
pub fn tracker_numbers(file: &SourceFile) -> Vec<Violation> {
    find(file, |line| {
        let named = TRACKERS.iter().any(|word| {
            find_word(line, word)
                .is_some_and(|at| starts_with_number(line[at + word.len()..].trim_start_matches([' ', '#'])))
        });
        let bare = line.match_indices('#').any(|(at, _)| {
            let before = line[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || c == '(');
            before && starts_with_number(&line[at + 1..])
        });
        (named || bare).then(|| "a number of a tracker; say what it says instead".to_owned())
    })
}

/// One to five digits that end there: six would be a colour.
fn starts_with_number(text: &str) -> bool {
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    (1..=5).contains(&digits) && !text[digits..].starts_with(|c: char| c.is_alphanumeric() || c == '.')
}

/// Where the word stands on its own.
fn find_word(line: &str, word: &str) -> Option<usize> {
    let in_a_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .map(|(at, _)| at)
        .find(|at| !line[..*at].ends_with(in_a_word) && !line[at + word.len()..].starts_with(in_a_word))
}

fn find(file: &SourceFile, wrong: impl Fn(&str) -> Option<String>) -> Vec<Violation> {
    if file.path == "Cargo.lock" || file.path.starts_with("LICENSE") {
        return Vec::new();
    }
    let lines = file.text.lines().enumerate();
    lines.filter_map(|(index, line)| Some(Violation::new(&file.path, index + 1, wrong(line)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> SourceFile {
        SourceFile::new("core/x/src/a.rs", text)
    }

    #[test]
    fn an_open_end_needs_a_note() {
        let end = OPEN_ENDS[0];
        assert_eq!(open_ends(&file(&format!("// {end}\n// {end}: later\n"))).len(), 2);
        assert_eq!(open_ends(&file(&format!("// {end}: needs the Altair rules\nlet {end}S = 1;"))), []);
    }

    #[test]
    fn places_of_one_machine_are_found() {
        assert_eq!(machine_paths(&file(&format!("let a = \"{}x\";", MACHINE_PATHS[0]))).len(), 1);
        assert_eq!(
            machine_paths(&file(&format!("\"resolved\": \"https://{}/x\"", REGISTRY_HOSTS[0]))).len(),
            1
        );
        assert_eq!(machine_paths(&file("see core/ssz, a work in progress")), []);
    }

    #[test]
    fn numbers_of_a_tracker_are_found_and_anchors_and_colours_are_not() {
        let hash = '#';
        assert_eq!(
            tracker_numbers(&file(&format!("// as in {hash}12\n// ({hash}3)\n// issue{}4", " "))).len(),
            3
        );
        assert_eq!(
            tracker_numbers(&file("color: #123456; ${#list[@]} https://a/b.md#12 r#\"1\"# EIP-4881")),
            []
        );
    }
}
