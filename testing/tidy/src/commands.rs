//! The command line as clap declares it, read from the source: what exists can then be compared with what is promised.

use syn::visit::Visit;

use crate::sizes::derives;
use crate::{Repository, SourceFile};

/// The commands of the binary.
#[derive(Debug)]
pub struct CommandLine {
    types: Vec<ClapType>,
}

/// A type that derives `Parser`, `Args` or `Subcommand`.
#[derive(Debug)]
struct ClapType {
    file: String,
    name: String,
    /// The commands, where it is an enum.
    commands: Vec<Entry>,
    /// The options and what it takes in, where it is a struct.
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    /// `--name`.
    Option(String),
    /// Fields or commands of another type.
    Other(Vec<String>),
    /// A command with what it takes.
    Command { name: String, hidden: bool, takes: Vec<Entry> },
}

/// The type that the binary parses.
const ROOT_FILE: &str = "bin/interlock/src/main.rs";

impl CommandLine {
    /// Reads every clap type of the repository.
    pub fn read(repository: &Repository) -> Self {
        let mut types = Vec::new();
        for file in repository.rust().filter(|file| file.text.contains("clap")) {
            let mut visitor = ClapTypes { file, found: Vec::new() };
            visitor.visit_file(&file.parse());
            types.append(&mut visitor.found);
        }
        Self { types }
    }

    /// Every command that is not hidden, with its parents: `ssz root`.
    pub fn commands(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect(ROOT_FILE, &self.root().commands, "", &mut found);
        found
    }

    /// Whether these words, without the program's name, are a command with options that exist.
    pub fn check(&self, words: &[&str]) -> Result<(), String> {
        let mut at = (ROOT_FILE.to_owned(), self.root().commands.clone());
        for (index, word) in words.iter().enumerate() {
            if let Some(option) = word.strip_prefix("--") {
                let option = option.split('=').next().expect("a split has a first part");
                let known =
                    ["help", "version", ""].contains(&option) || self.has_option(&at.0, &at.1, option);
                if !known {
                    return Err(format!("`interlock {}` has no option --{option}", words[..index].join(" ")));
                }
            } else if let Some(next) = self.command(&at.0, &at.1, word) {
                at = next;
            } else if index == 0 {
                return Err(format!("there is no command `interlock {word}`"));
            }
        }
        Ok(())
    }

    fn root(&self) -> &ClapType {
        let of_main = |found: &&ClapType| found.file == ROOT_FILE && !found.commands.is_empty();
        self.types.iter().find(of_main).expect("main.rs has an enum of commands")
    }

    fn collect(&self, file: &str, entries: &[Entry], parents: &str, found: &mut Vec<String>) {
        for entry in entries {
            let Entry::Command { name, hidden: false, .. } = entry else { continue };
            let full = format!("{parents} {name}").trim().to_owned();
            let (file, inner) = self.command(file, entries, name).expect("the name was just read");
            let count = found.len();
            self.collect(&file, &inner, &full, found);
            if found.len() == count {
                found.push(full);
            }
        }
    }

    /// Steps into a command: the file of what it takes, and what it takes, other types resolved.
    fn command(&self, file: &str, entries: &[Entry], word: &str) -> Option<(String, Vec<Entry>)> {
        for entry in entries {
            match entry {
                Entry::Command { name, takes, .. } if name == word => {
                    return Some(match takes.as_slice() {
                        [Entry::Other(path)] => match self.resolve(file, path) {
                            Some(found) if !found.commands.is_empty() => {
                                (found.file.clone(), found.commands.clone())
                            }
                            Some(found) => (found.file.clone(), found.entries.clone()),
                            None => (file.to_owned(), Vec::new()),
                        },
                        _ => (file.to_owned(), takes.clone()),
                    });
                }
                Entry::Other(path) => {
                    let found = self.resolve(file, path)?;
                    if let Some(next) = self.command(&found.file, &found.commands, word) {
                        return Some(next);
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn has_option(&self, file: &str, entries: &[Entry], option: &str) -> bool {
        entries.iter().any(|entry| match entry {
            Entry::Option(name) => name == option,
            Entry::Other(path) => self
                .resolve(file, path)
                .is_some_and(|found| self.has_option(&found.file, &found.entries, option)),
            Entry::Command { .. } => false,
        })
    }

    /// The type that a path in a file means: of the same file, else of the file or folder that the path names, else
    /// the nearest by its path.
    fn resolve(&self, file: &str, path: &[String]) -> Option<&ClapType> {
        let name = path.last()?;
        let named: Vec<&ClapType> = self.types.iter().filter(|found| found.name == *name).collect();
        let of_the_path = |found: &&&ClapType| {
            let parts: Vec<&str> = found.file.trim_end_matches(".rs").split('/').collect();
            path[..path.len() - 1].iter().all(|part| part == "crate" || parts.contains(&part.as_str()))
        };
        let shared = |other: &str| file.split('/').zip(other.split('/')).take_while(|(a, b)| a == b).count();
        let same_file = named.iter().find(|found| path.len() == 1 && found.file == file);
        let nearest = || named.iter().filter(of_the_path).max_by_key(|found| shared(&found.file));
        same_file.or_else(nearest).copied()
    }
}

struct ClapTypes<'a> {
    file: &'a SourceFile,
    found: Vec<ClapType>,
}

impl<'ast> Visit<'ast> for ClapTypes<'_> {
    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        if derives(&item.attrs, "Subcommand") {
            let commands = item.variants.iter().map(command_of).collect();
            let (file, name) = (self.file.path.clone(), item.ident.to_string());
            self.found.push(ClapType { file, name, commands, entries: Vec::new() });
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        if derives(&item.attrs, "Args") || derives(&item.attrs, "Parser") {
            let entries: Vec<Entry> = item.fields.iter().filter_map(entry_of).collect();
            let (file, name) = (self.file.path.clone(), item.ident.to_string());
            self.found.push(ClapType { file, name, commands: Vec::new(), entries });
        }
    }
}

fn command_of(variant: &syn::Variant) -> Entry {
    let settings = Settings::read(&variant.attrs);
    let name = settings.value("name").unwrap_or_else(|| kebab(&variant.ident.to_string()));
    let takes = match &variant.fields {
        syn::Fields::Unnamed(fields) => {
            fields.unnamed.iter().filter_map(|field| path_of(&field.ty)).map(Entry::Other).collect()
        }
        fields => fields.iter().filter_map(entry_of).collect(),
    };
    Entry::Command { name, hidden: settings.has("hide"), takes }
}

fn entry_of(field: &syn::Field) -> Option<Entry> {
    let settings = Settings::read(&field.attrs);
    if settings.has("flatten") || settings.has("subcommand") {
        return Some(Entry::Other(path_of(&field.ty)?));
    }
    let own_name = || kebab(&field.ident.as_ref().map(ToString::to_string).unwrap_or_default());
    settings.has("long").then(|| Entry::Option(settings.value("long").unwrap_or_else(own_name)))
}

/// The path of a type, without `Box`, `Option` or `Vec` around it.
fn path_of(of: &syn::Type) -> Option<Vec<String>> {
    let syn::Type::Path(of) = of else { return None };
    let last = of.path.segments.last()?;
    if let syn::PathArguments::AngleBracketed(inner) = &last.arguments
        && let Some(syn::GenericArgument::Type(inner)) = inner.args.first()
    {
        return path_of(inner);
    }
    Some(of.path.segments.iter().map(|segment| segment.ident.to_string()).collect())
}

/// What the attributes `#[arg(…)]` and `#[command(…)]` say.
struct Settings(Vec<(String, Option<String>)>);

impl Settings {
    fn read(attributes: &[syn::Attribute]) -> Self {
        let mut settings = Vec::new();
        let of_clap = |attribute: &&syn::Attribute| {
            ["arg", "command", "clap"].iter().any(|name| attribute.path().is_ident(name))
        };
        for attribute in attributes.iter().filter(of_clap) {
            // What does not parse is clap's to report.
            let _ = attribute.parse_nested_meta(|meta| {
                let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                let mut value = None;
                if meta.input.peek(syn::Token![=]) {
                    let expression: syn::Expr = meta.value()?.parse()?;
                    if let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = expression {
                        value = Some(text.value());
                    }
                } else if meta.input.peek(syn::token::Paren) {
                    let content;
                    syn::parenthesized!(content in meta.input);
                    content.parse::<proc_macro2::TokenStream>()?;
                }
                settings.push((name, value));
                Ok(())
            });
        }
        Self(settings)
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    fn value(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(own, _)| own == name).and_then(|(_, value)| value.clone())
    }
}

/// `KillDrill` and `kill_drill` are `kill-drill` on the command line.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.extend(if letter == '_' { '-'.to_lowercase() } else { letter.to_lowercase() });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> CommandLine {
        let files = [
            (
                ROOT_FILE,
                "use clap::Subcommand; #[derive(clap::Parser)] struct A { #[command(subcommand)] command: Command }
                 #[derive(Subcommand)] enum Command { #[command(subcommand)] Ssz(commands::ssz::Ssz), Devnet(Box<devnet::Devnet>),
                 #[command(hide = true)] Inner { #[arg(long)] fast: bool } }",
            ),
            (
                "bin/interlock/src/commands/ssz.rs",
                "use clap::Args; #[derive(Subcommand)] enum Ssz { Root(Value), Encode { #[command(flatten)] value: Value, #[arg(long)] out: PathBuf } }
                 #[derive(Args)] struct Value { #[arg(long = \"type\", value_name = \"T\")] kind: String, file: PathBuf }",
            ),
            (
                "tools/devnet/src/options.rs",
                "use clap::Args; #[derive(Args)] struct Devnet { #[arg(long, default_value_t = 4)] slot_ms: u64, #[arg(long, num_args(1..))] kill_drill: u64 }",
            ),
        ];
        CommandLine::read(&Repository {
            files: files.map(|(path, text)| SourceFile::new(path, text)).to_vec(),
        })
    }

    fn check(line: &str) -> Result<(), String> {
        example().check(&line.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn commands_are_listed_with_their_parents_and_without_hidden_ones() {
        assert_eq!(example().commands(), ["ssz root", "ssz encode", "devnet"]);
    }

    #[test]
    fn options_are_found_through_boxes_flattened_types_and_renames() {
        for good in [
            "ssz root --type A file",
            "ssz encode --type=A --out x y",
            "devnet --slot-ms 3 --kill-drill 2",
            "--help",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_clap_does_not_declare_is_an_error() {
        for bad in
            ["sszz root", "ssz root --kind A", "devnet --slotms 3", "ssz root --out x", "--preset minimal"]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
