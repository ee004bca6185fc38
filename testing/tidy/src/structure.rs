//! Rules about how the code is built that no lint knows.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::purity::is_test_file;
use crate::sizes::derives;
use crate::tokens::{reads, words};
use crate::{SourceFile, Violation};

/// Where the specification's text lies; a link to it names the file and the section.
const SPEC: &str = "https://github.com/ethereum/consensus-specs/blob/master/specs/";

/// The one unbounded queue: its entries answer what the core has handed out, which is bounded; a bound of its own could
/// only let two threads wait for each other.
const UNBOUNDED_FOR_A_REASON: [&str; 1] = ["shell/node/src/mailbox.rs"];

/// Functions that bear a name of the specification and do not link to it.
pub fn unlinked(file: &SourceFile) -> Vec<Violation> {
    struct Unlinked<'a> {
        file: &'a SourceFile,
        found: Vec<Violation>,
    }
    impl Unlinked<'_> {
        fn function(
            &mut self,
            attributes: &[syn::Attribute],
            visibility: &syn::Visibility,
            signature: &syn::Signature,
        ) {
            let name = signature.ident.to_string();
            let public = !matches!(visibility, syn::Visibility::Inherited);
            if public && is_of_the_spec(&self.file.path, &name) && !doc(attributes).contains(SPEC) {
                let message = format!("{name} is a function of the specification and does not link to it");
                self.found.push(Violation::new(&self.file.path, signature.span().start().line, message));
            }
        }
    }
    impl<'ast> Visit<'ast> for Unlinked<'_> {
        fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
            self.function(&item.attrs, &item.vis, &item.sig);
        }
        fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
            self.function(&item.attrs, &item.vis, &item.sig);
        }
    }
    let mut visitor = Unlinked { file, found: Vec::new() };
    visitor.visit_file(&file.parse());
    visitor.found
}

/// The names that only the specification gives, in the packages that carry its rules out.
fn is_of_the_spec(path: &str, name: &str) -> bool {
    match path.split('/').nth(1) {
        Some("transition") if path.starts_with("core/") => {
            name.starts_with("process_") || name == "state_transition"
        }
        Some("fork_choice") if path == "core/fork_choice/src/store.rs" => {
            ["on_tick", "on_block", "on_attestation", "get_head"].contains(&name)
        }
        Some("chain") => name.starts_with("validate_") && name.ends_with("_gossip"),
        _ => false,
    }
}

fn doc(attributes: &[syn::Attribute]) -> String {
    let mut text = String::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let syn::Meta::NameValue(syn::MetaNameValue { value: syn::Expr::Lit(line), .. }) = &attribute.meta
            && let syn::Lit::Str(line) = &line.lit
        {
            text.push_str(&line.value());
        }
    }
    text
}

/// Containers of the specification that depend on a type: presets and forks are values.
pub fn generic_containers(file: &SourceFile) -> Vec<Violation> {
    struct Generic<'a> {
        file: &'a SourceFile,
        found: Vec<Violation>,
    }
    impl<'ast> Visit<'ast> for Generic<'_> {
        fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
            if derives(&item.attrs, "Ssz") && !item.generics.params.is_empty() {
                let message = format!("{} has parameters; preset and fork are values, not types", item.ident);
                self.found.push(Violation::new(&self.file.path, item.ident.span().start().line, message));
            }
            visit::visit_item_struct(self, item);
        }
    }
    let mut visitor = Generic { file, found: Vec::new() };
    if file.path.starts_with("core/types/") {
        visitor.visit_file(&file.parse());
    }
    visitor.found
}

/// Owned closures in the machines of the core: work leaves them as data.
pub fn closures(file: &SourceFile) -> Vec<Violation> {
    let machines = ["core/chain/src/", "core/sync/src/", "core/validator/src/", "core/pool/src/"];
    if !machines.iter().any(|folder| file.path.starts_with(folder)) || is_test_file(&file.path) {
        return Vec::new();
    }
    let row = words(&file.text);
    (0..row.len())
        .filter(|at| ["Fn", "FnMut", "FnOnce"].iter().any(|kind| reads(&row, *at, &["<", "dyn", kind])))
        .map(|at| Violation::new(&file.path, row[at].line, "an owned closure; work leaves the core as data"))
        .collect()
}

/// Queues without a bound, tests excepted.
pub fn unbounded(file: &SourceFile) -> Vec<Violation> {
    let exempt =
        UNBOUNDED_FOR_A_REASON.contains(&file.path.as_str()) || file.path.starts_with("testing/tidy/");
    if exempt || is_test_file(&file.path) {
        return Vec::new();
    }
    let row = words(&file.text);
    let standard = row
        .iter()
        .enumerate()
        .any(|(at, _)| reads(&row, at, &["std", ":", ":", "sync", ":", ":", "mpsc", ":", ":", "channel"]));
    row.iter()
        .filter(|word| ["unbounded", "unbounded_channel", "UnboundedSender"].contains(&word.text.as_str()))
        .map(|word| word.line)
        .chain(standard.then_some(0))
        .map(|line| {
            Violation::new(&file.path, line, "a queue without a bound; give it one, and an overflow rule")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(rule: fn(&SourceFile) -> Vec<Violation>, path: &str, text: &str) -> usize {
        rule(&SourceFile::new(path, text)).len()
    }

    #[test]
    fn a_function_under_a_name_of_the_specification_links_to_it() {
        let path = "core/transition/src/block/deposit.rs";
        let linked =
            format!("/// [`x`]({SPEC}phase0/beacon-chain.md#deposits)\npub fn process_deposit() {{}}");
        assert_eq!(count(unlinked, path, &linked), 0);
        assert_eq!(count(unlinked, path, "/// Takes a deposit.\npub fn process_deposit() {}"), 1);
        assert_eq!(count(unlinked, path, "fn process_one() {} pub fn own() {}"), 0);
        assert_eq!(count(unlinked, "core/chain/src/gossip/a.rs", "pub fn validate_x_gossip() {}"), 1);
    }

    #[test]
    fn containers_with_parameters_owned_closures_and_unbounded_queues_are_found() {
        let types = "core/types/src/containers/a.rs";
        assert_eq!(
            count(generic_containers, types, "#[derive(Ssz)] struct A<E> { a: E } struct B<T>(T);"),
            1
        );
        assert_eq!(
            count(
                closures,
                "core/chain/src/a.rs",
                "struct A(Box<dyn FnOnce()>); fn f(g: &mut dyn FnMut()) {}"
            ),
            1
        );
        assert_eq!(
            count(
                unbounded,
                "shell/x/src/a.rs",
                "fn f() { unbounded(); tokio::sync::mpsc::unbounded_channel(); }"
            ),
            2
        );
        assert_eq!(
            count(unbounded, "shell/x/src/a.rs", "use std::sync::mpsc::sync_channel; // unbounded"),
            0
        );
        assert_eq!(count(unbounded, "shell/x/src/a.rs", "fn f() { std::sync::mpsc::channel(); }"), 1);
    }
}
