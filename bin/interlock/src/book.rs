//! The book's page of each command is what `--help` says, and its table of contents names all of them.
//!
//! `INTERLOCK_WRITE_BOOK=1 cargo test --release -p interlock book` writes the pages anew after a help text changed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Once;

use clap::{Command, CommandFactory};

/// A page: the file's name, the command as it is typed, and the text.
struct Page {
    file: String,
    title: String,
    text: String,
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/src")
}

/// The pages of a command and those below it, in the order of the help.
fn pages(command: &Command, path: &str, pages: &mut Vec<Page>) {
    let mut command = command.clone().bin_name(path).term_width(100).disable_version_flag(true);
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let text = format!("# {path}\n\n```text\n{}\n```\n", lines.join("\n").trim());
    pages.push(Page { file: format!("{}.md", path.replace(' ', "-")), title: path.to_owned(), text });
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        self::pages(below, &format!("{path} {}", below.get_name()), pages);
    }
}

fn all_pages() -> Vec<Page> {
    let mut command = crate::Arguments::command();
    command.build();
    let mut all = Vec::new();
    pages(&command, "interlock", &mut all);
    all
}

/// The part of the table of contents that lists the commands.
fn contents(pages: &[Page]) -> String {
    let mut lines = String::new();
    for Page { file, title, .. } in pages {
        let depth = title.matches(' ').count();
        writeln!(lines, "{}- [{title}](commands/{file})", "  ".repeat(depth))
            .expect("a String takes everything");
    }
    lines
}

/// The pages, which are written first where that is wanted, once for all tests.
fn pages_as_wanted() -> Vec<Page> {
    static WRITTEN: Once = Once::new();
    let pages = all_pages();
    WRITTEN.call_once(|| {
        if std::env::var_os("INTERLOCK_WRITE_BOOK").is_some() {
            write(&pages);
        }
    });
    pages
}

fn write(pages: &[Page]) {
    let folder = source().join("commands");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    pages.iter().for_each(|page| std::fs::write(folder.join(&page.file), &page.text).unwrap());
    let path = source().join("SUMMARY.md");
    let summary = std::fs::read_to_string(&path).unwrap();
    let (before, _) = summary.split_once("- [interlock](").unwrap();
    std::fs::write(&path, format!("{before}{}", contents(pages))).unwrap();
}

#[test]
fn the_books_pages_of_commands_are_what_help_says() {
    let folder = source().join("commands");
    let pages = pages_as_wanted();
    for Page { file, title, text } in &pages {
        let there = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
        assert!(
            there == *text,
            "the book's page of `{title}` is not what its --help says; see the top of book.rs"
        );
    }
    let files = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(files, pages.len(), "{} has pages of commands that are not there", folder.display());
}

#[test]
fn the_books_table_of_contents_names_every_command_and_only_files_that_are_there() {
    let commands = contents(&pages_as_wanted());
    let summary = std::fs::read_to_string(source().join("SUMMARY.md")).unwrap();
    assert!(summary.ends_with(&commands), "the commands of SUMMARY.md are others; see the top of book.rs");
    for link in summary.split("](").skip(1) {
        let file = link.split(')').next().unwrap();
        assert!(source().join(file).is_file(), "SUMMARY.md names {file}, which is not there");
    }
}
