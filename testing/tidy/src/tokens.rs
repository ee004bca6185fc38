//! Rust source as a flat row of words, without comments, so that a name in a comment or text is never mistaken for
//! a use.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One identifier, punctuation mark or bracket. Literals are left out: no rule reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its text.
    pub text: String,
    /// Its line, from 1.
    pub line: usize,
}

/// The words of a source text; empty where it does not lex.
pub fn words(text: &str) -> Vec<Word> {
    let mut row = Vec::new();
    if let Ok(stream) = text.parse::<TokenStream>() {
        flatten(stream, &mut row);
    }
    row
}

fn flatten(stream: TokenStream, row: &mut Vec<Word>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                row.push(Word { text: open.to_owned(), line });
                flatten(group.stream(), row);
                row.push(Word { text: close.to_owned(), line: group.span_close().start().line });
            }
            TokenTree::Ident(ident) => row.push(Word { text: ident.to_string(), line }),
            TokenTree::Punct(punct) => row.push(Word { text: punct.as_char().to_string(), line }),
            TokenTree::Literal(_) => {}
        }
    }
}

/// Whether the words from `at` on read as `pattern`, a text such as `"thread :: spawn"`.
pub fn reads(row: &[Word], at: usize, pattern: &[&str]) -> bool {
    row.len() >= at + pattern.len() && row[at..].iter().zip(pattern).all(|(word, want)| word.text == *want)
}
