//! Every file is part of a program: rustc does not mention a file that no `mod` names.

use syn::visit::Visit;

use crate::{Repository, SourceFile, Violation};

/// Files below a `src` folder that no module declares.
pub fn orphans(repository: &Repository) -> Vec<Violation> {
    let declared: Vec<String> = repository.rust().flat_map(declarations).collect();
    repository
        .rust()
        .filter(|file| file.path.contains("/src/") && !is_root(&file.path))
        .filter(|file| !declared.contains(&module_path(&file.path)))
        .map(|file| Violation::new(&file.path, 0, "no module declares this file, so it is not compiled"))
        .collect()
}

fn is_root(path: &str) -> bool {
    path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || path.contains("/src/bin/")
}

/// `a/src/b/mod.rs` and `a/src/b.rs` are the module `a/src/b`.
fn module_path(path: &str) -> String {
    path.trim_end_matches(".rs").trim_end_matches("/mod").to_owned()
}

/// The modules that a file declares without a body, as module paths.
fn declarations(file: &SourceFile) -> Vec<String> {
    struct Declared {
        folder: String,
        found: Vec<String>,
    }
    impl<'ast> Visit<'ast> for Declared {
        fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
            let inner = format!("{}/{}", self.folder, item.ident);
            match &item.content {
                None => self.found.push(inner),
                Some((_, items)) => {
                    let outer = std::mem::replace(&mut self.folder, inner);
                    items.iter().for_each(|item| self.visit_item(item));
                    self.folder = outer;
                }
            }
        }
    }
    let folder = if is_root(&file.path) {
        file.path.rsplit_once('/').expect("a root lies in src").0.to_owned()
    } else {
        module_path(&file.path)
    };
    let mut visitor = Declared { folder, found: Vec::new() };
    visitor.visit_file(&file.parse());
    visitor.found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_no_module_declares_is_an_orphan() {
        let files = [
            ("core/x/src/lib.rs", "mod a; mod b;"),
            ("core/x/src/a.rs", "mod inner;"),
            ("core/x/src/a/inner.rs", ""),
            ("core/x/src/b/mod.rs", "mod deep;"),
            ("core/x/src/b/deep.rs", ""),
            ("core/x/src/lost.rs", ""),
        ];
        let repository = Repository { files: files.map(|(path, text)| SourceFile::new(path, text)).to_vec() };
        let found: Vec<String> = orphans(&repository).into_iter().map(|violation| violation.path).collect();
        assert_eq!(found, ["core/x/src/lost.rs"]);
    }
}
