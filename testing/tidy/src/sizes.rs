//! Sizes: what does not fit on a few screens is not read with care.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::{SourceFile, Violation};

/// Lines of a file, at most.
pub const FILE_LINES_MAX: usize = 600;
/// Lines of a function from its `fn` to its closing brace, at most.
pub const FUNCTION_LINES_MAX: usize = 70;
/// Parameters of a function, at most; `self` counts.
pub const PARAMETERS_MAX: usize = 6;
/// Variants of an error, at most.
pub const ERROR_VARIANTS_MAX: usize = 25;
/// Fields of a struct, at most; containers of the specification and its presets are what they are.
pub const STRUCT_FIELDS_MAX: usize = 20;

/// The files whose structs list the specification's settings one by one.
const SPEC_FILES: [&str; 2] = ["core/types/src/preset.rs", "core/types/src/config.rs"];

/// The file itself.
pub fn long_file(file: &SourceFile) -> Option<Violation> {
    let lines = file.text.lines().count();
    (lines > FILE_LINES_MAX)
        .then(|| Violation::new(&file.path, 0, format!("{lines} lines; a file has at most {FILE_LINES_MAX}")))
}

/// Everything inside the file that is too large, whatever the kind.
pub fn violations(file: &SourceFile) -> Vec<(Kind, Violation)> {
    let mut visitor = Measure { file, found: Vec::new() };
    visitor.visit_file(&file.parse());
    visitor.found
}

/// What is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A function's lines.
    Function,
    /// A function's parameters.
    Parameters,
    /// An error's variants.
    Error,
    /// A struct's fields.
    Struct,
}

struct Measure<'a> {
    file: &'a SourceFile,
    found: Vec<(Kind, Violation)>,
}

impl Measure<'_> {
    fn report(&mut self, kind: Kind, line: usize, message: String) {
        self.found.push((kind, Violation::new(&self.file.path, line, message)));
    }

    fn function(&mut self, signature: &syn::Signature, block: Option<&syn::Block>) {
        let name = &signature.ident;
        let first = signature.fn_token.span().start().line;
        let last = block.map_or(first, |block| block.brace_token.span.close().end().line);
        let lines = last - first + 1;
        if lines > FUNCTION_LINES_MAX {
            let message = format!("function {name} has {lines} lines; at most {FUNCTION_LINES_MAX}");
            self.report(Kind::Function, first, message);
        }
        let parameters = signature.inputs.len();
        if parameters > PARAMETERS_MAX {
            let message = format!("function {name} has {parameters} parameters; at most {PARAMETERS_MAX}");
            self.report(Kind::Parameters, first, message);
        }
    }
}

impl<'ast> Visit<'ast> for Measure<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, Some(&item.block));
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, Some(&item.block));
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(&item.sig, item.default.as_ref());
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        let variants = item.variants.len();
        if is_error(item) && variants > ERROR_VARIANTS_MAX {
            let message =
                format!("error {} has {variants} variants; at most {ERROR_VARIANTS_MAX}", item.ident);
            self.report(Kind::Error, item.ident.span().start().line, message);
        }
        visit::visit_item_enum(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let fields = item.fields.len();
        // Containers are the specification's, whether our SSZ reads them or that of a library to compare with.
        let is_container = ["Ssz", "TreeHash"].iter().any(|name| derives(&item.attrs, name));
        let of_the_spec = is_container || SPEC_FILES.contains(&self.file.path.as_str());
        if !of_the_spec && fields > STRUCT_FIELDS_MAX {
            let message = format!("struct {} has {fields} fields; at most {STRUCT_FIELDS_MAX}", item.ident);
            self.report(Kind::Struct, item.ident.span().start().line, message);
        }
        visit::visit_item_struct(self, item);
    }
}

/// An enum that says what went wrong: by its derive or its name.
fn is_error(item: &syn::ItemEnum) -> bool {
    let name = item.ident.to_string();
    derives(&item.attrs, "Error") || ["Error", "Invalid", "Fault"].iter().any(|end| name.ends_with(end))
}

pub(crate) fn derives(attributes: &[syn::Attribute], name: &str) -> bool {
    let mut found = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        // A derive that does not parse is the compiler's to report.
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.segments.last().is_some_and(|segment| segment.ident == name);
            Ok(())
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        violations(&SourceFile::new("core/x/src/a.rs", text)).into_iter().map(|(kind, _)| kind).collect()
    }

    #[test]
    fn a_function_is_measured_from_its_name_to_its_brace() {
        let body =
            |lines: usize| format!("/// Doc.\n#[inline]\nfn f() {{\n{}}}\n", "    g();\n".repeat(lines));
        assert_eq!(kinds(&body(FUNCTION_LINES_MAX - 2)), []);
        assert_eq!(kinds(&body(FUNCTION_LINES_MAX - 1)), [Kind::Function]);
    }

    #[test]
    fn parameters_are_counted_in_traits_and_impls_too() {
        let list = |count: usize| (0..count).map(|i| format!("a{i}: u8,")).collect::<String>();
        assert_eq!(kinds(&format!("fn f({}) {{}}", list(6))), []);
        assert_eq!(kinds(&format!("fn f({}) {{}}", list(7))), [Kind::Parameters]);
        assert_eq!(kinds(&format!("trait T {{ fn f(&self, {}); }}", list(6))), [Kind::Parameters]);
        assert_eq!(kinds(&format!("impl T {{ fn f(&self, {}) {{}} }}", list(6))), [Kind::Parameters]);
    }

    #[test]
    fn errors_are_known_by_derive_or_name_and_other_enums_are_free() {
        let variants = |count: usize| (0..count).map(|i| format!("V{i},")).collect::<String>();
        assert_eq!(kinds(&format!("enum OpenError {{ {} }}", variants(25))), []);
        assert_eq!(kinds(&format!("enum OpenError {{ {} }}", variants(26))), [Kind::Error]);
        assert_eq!(
            kinds(&format!("#[derive(Debug, thiserror::Error)] enum E {{ {} }}", variants(26))),
            [Kind::Error]
        );
        assert_eq!(kinds(&format!("enum Message {{ {} }}", variants(26))), []);
    }

    #[test]
    fn structs_of_the_specification_have_the_fields_that_it_gives_them() {
        let fields = (0..21).map(|i| format!("f{i}: u8,")).collect::<String>();
        assert_eq!(kinds(&format!("struct Wide {{ {fields} }}")), [Kind::Struct]);
        assert_eq!(kinds(&format!("#[derive(Clone, Ssz)] struct Wide {{ {fields} }}")), []);
    }
}
