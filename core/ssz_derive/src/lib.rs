//! `#[derive(Ssz)]`: from one declaration the encoding, decoding, root, JSON and schema of a container.
//!
//! Attributes of a field, in `#[ssz(…)]`:
//! - `list(BOUND)`, `vector(BOUND)`, nested `list(BOUND, list(BOUND))`: the shape. A bound is an integer,
//!   `progressive`, or the name of a `ssz::BoundRef` constant in scope;
//! - `since = Fork`, `until = Fork`: the forks that have the field, as variants of a `ForkName` in scope;
//!   the field keeps its default value in all other forks;
//! - `skip`: not part of the container (a cache); default after decoding.
//!
//! Attributes of a struct: `progressive(1, 0, 1)` makes it a progressive container (EIP-7495).
//! An enum becomes a compatible union (EIP-8016): one unnamed field each, `selector = N`.

mod attributes;
mod container;
mod union;

use proc_macro::TokenStream;
use syn::{Data, DeriveInput, parse_macro_input};

/// Derives `ssz::Ssz`; see the crate's documentation for the attributes.
#[proc_macro_derive(Ssz, attributes(ssz))]
pub fn derive_ssz(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let result = match &input.data {
        Data::Struct(data) => container::derive(&input, data),
        Data::Enum(data) => union::derive(&input, data),
        Data::Union(_) => Err(syn::Error::new_spanned(&input, "Ssz is for structs and enums")),
    };
    result.unwrap_or_else(|error| error.to_compile_error()).into()
}
