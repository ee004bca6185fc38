//! Reads the `#[ssz(…)]` attributes.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::ParseStream;
use syn::{Attribute, Ident, LitInt, Token, parenthesized};

/// What a field's attributes say.
pub struct FieldAttributes {
    pub shape: TokenStream,
    pub since: Option<Ident>,
    pub until: Option<Ident>,
    pub skip: bool,
}

impl FieldAttributes {
    pub fn read(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut read = Self { shape: quote!(::ssz::Shape::Plain), since: None, until: None, skip: false };
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("ssz")) {
            attribute.parse_args_with(|input: ParseStream| {
                while !input.is_empty() {
                    read.item(input)?;
                    if !input.is_empty() {
                        input.parse::<Token![,]>()?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(read)
    }

    fn item(&mut self, input: ParseStream) -> syn::Result<()> {
        let fork = |input: ParseStream| -> syn::Result<Option<Ident>> {
            input.parse::<Token![=]>()?;
            input.parse().map(Some)
        };
        let ahead = input.fork().parse::<Ident>()?;
        if ahead == "list" || ahead == "vector" {
            self.shape = shape(input)?;
            return Ok(());
        }
        let name: Ident = input.parse()?;
        match name.to_string().as_str() {
            "since" => self.since = fork(input)?,
            "until" => self.until = fork(input)?,
            "skip" => self.skip = true,
            _ => return Err(syn::Error::new(name.span(), "expected list, vector, since, until or skip")),
        }
        Ok(())
    }

    /// The condition under which the fork of `ctx` has the field, none where every fork does.
    pub fn active(&self) -> Option<TokenStream> {
        let since = self.since.as_ref().map(|fork| quote!(ctx.fork >= ForkName::#fork as u8));
        let until = self.until.as_ref().map(|fork| quote!(ctx.fork < ForkName::#fork as u8));
        match (since, until) {
            (Some(since), Some(until)) => Some(quote!((#since && #until))),
            (since, until) => since.or(until),
        }
    }
}

fn shape(input: ParseStream) -> syn::Result<TokenStream> {
    let kind: Ident = input.parse()?;
    let inner;
    parenthesized!(inner in input);
    let bound = bound(&inner)?;
    let element = if inner.parse::<Option<Token![,]>>()?.is_some() {
        shape(&inner)?
    } else {
        quote!(::ssz::Shape::Plain)
    };
    match kind.to_string().as_str() {
        "list" => Ok(quote!(::ssz::Shape::List(#bound, &#element))),
        "vector" => Ok(quote!(::ssz::Shape::Vector(#bound, &#element))),
        _ => Err(syn::Error::new(kind.span(), "expected list or vector")),
    }
}

fn bound(input: ParseStream) -> syn::Result<TokenStream> {
    if input.peek(LitInt) {
        let number: LitInt = input.parse()?;
        return Ok(quote!(::ssz::BoundRef::Const(#number)));
    }
    let name: Ident = input.parse()?;
    if name == "progressive" {
        return Ok(quote!(::ssz::BoundRef::Progressive));
    }
    Ok(quote!(#name))
}

/// The places of a progressive container, from `progressive(1, 0, …)` on the struct.
pub fn active_fields(attributes: &[Attribute]) -> syn::Result<Option<Vec<bool>>> {
    let mut places = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("ssz")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("progressive") {
                return Err(meta.error("expected progressive(…)"));
            }
            let inner;
            parenthesized!(inner in meta.input);
            let bits = inner.parse_terminated(<LitInt as syn::parse::Parse>::parse, Token![,])?;
            places = Some(bits.iter().map(|bit| bit.base10_digits() == "1").collect());
            Ok(())
        })?;
    }
    Ok(places)
}

/// The number of `selector = N` on a union's option.
pub fn selector(attributes: &[Attribute]) -> syn::Result<Option<LitInt>> {
    let mut selector = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("ssz")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("selector") {
                return Err(meta.error("expected selector = N"));
            }
            selector = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    Ok(selector)
}
