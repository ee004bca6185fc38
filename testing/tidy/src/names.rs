//! Names that say nothing: a thing called after what it *is* (a pool, a store, a table) needs none of them.

use syn::visit::{self, Visit};

use crate::{SourceFile, Violation};

/// Words that no type, function, module or file is called by.
pub const FORBIDDEN: [&str; 6] = ["manager", "service", "handler", "helper", "util", "common"];

/// The official vectors call a level of their folders the handler.
const HANDLER_IS_THEIR_WORD: &str = "testing/spec_tests/";

/// Names in the file, and the file's own, that use a forbidden word.
pub fn violations(file: &SourceFile) -> Vec<Violation> {
    let mut visitor = Names { file, found: Vec::new() };
    for part in file.path.split('/') {
        visitor.check(part.trim_end_matches(".rs"), 0);
    }
    if file.is_rust() {
        visitor.visit_file(&file.parse());
    }
    visitor.found
}

struct Names<'a> {
    file: &'a SourceFile,
    found: Vec<Violation>,
}

impl Names<'_> {
    fn ident(&mut self, ident: &syn::Ident) {
        self.check(&ident.to_string(), ident.span().start().line);
    }

    /// A function may speak of what two things have in common, such as an ancestor.
    fn function(&mut self, ident: &syn::Ident) {
        self.check(&ident.to_string().replace("common_", ""), ident.span().start().line);
    }

    fn check(&mut self, name: &str, line: usize) {
        let parts = split(name);
        let may_say = |word: &str| word == "handler" && self.file.path.starts_with(HANDLER_IS_THEIR_WORD);
        let says =
            |word: &&&str| !may_say(word) && parts.iter().any(|part| part.trim_end_matches('s') == **word);
        if let Some(word) = FORBIDDEN.iter().find(says) {
            let message = format!("the name {name} says {word}; call it by what it is");
            self.found.push(Violation::new(&self.file.path, line, message));
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.ident(&item.ident);
    }
    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.ident(&item.ident);
    }
    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.ident(&item.ident);
        visit::visit_item_trait(self, item);
    }
    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.ident(&item.ident);
    }
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.ident(&item.ident);
        visit::visit_item_mod(self, item);
    }
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig.ident);
        visit::visit_item_fn(self, item);
    }
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        // The names in an implementation of a trait are the trait's.
        if item.trait_.is_none() {
            visit::visit_item_impl(self, item);
        }
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig.ident);
    }
}

/// The words of a snake_case or CamelCase name, in lower case.
fn split(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut start_new = true;
    for letter in name.chars() {
        if !letter.is_alphanumeric() {
            start_new = true;
            continue;
        }
        if start_new || letter.is_uppercase() {
            parts.push(String::new());
        }
        start_new = false;
        parts.last_mut().expect("pushed before").extend(letter.to_lowercase());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        violations(&SourceFile::new(path, text)).len()
    }

    #[test]
    fn a_forbidden_word_is_found_in_every_kind_of_name() {
        assert_eq!(
            count("core/x/src/a.rs", "struct PeerManager; enum SyncService {} trait EventHandler {}"),
            3
        );
        assert_eq!(
            count("core/x/src/a.rs", "mod utils {} fn parse_helper() {} impl A { fn part_common() {} }"),
            3
        );
        assert_eq!(count("core/x/src/handler.rs", ""), 1);
    }

    #[test]
    fn words_that_only_contain_one_and_names_of_foreign_traits_are_free() {
        assert_eq!(
            count("core/x/src/a.rs", "struct Commonality; fn futility() {} fn common_ancestor() {}"),
            0
        );
        assert_eq!(
            count("core/x/src/a.rs", "impl Behaviour for A { fn on_handler_event() {} type Handler = (); }"),
            0
        );
    }
}
