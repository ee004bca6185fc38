//! The derive for enums: compatible unions.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DataEnum, DeriveInput, Fields, Ident, LitInt, Type};

use crate::attributes::selector;

struct Choice<'a> {
    name: &'a Ident,
    ty: &'a Type,
    selector: LitInt,
}

/// The options of a union, column by column, as the repetitions of `quote` want them.
struct Columns<'a> {
    names: Vec<&'a Ident>,
    types: Vec<&'a Type>,
    selectors: Vec<&'a LitInt>,
}

pub fn derive(input: &DeriveInput, data: &DataEnum) -> syn::Result<TokenStream> {
    let options = data.variants.iter().map(|variant| match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Ok(Choice {
            name: &variant.ident,
            ty: &fields.unnamed[0].ty,
            selector: selector(&variant.attrs)?
                .ok_or_else(|| syn::Error::new_spanned(variant, "an option needs selector = N"))?,
        }),
        _ => Err(syn::Error::new_spanned(variant, "an option holds one unnamed value")),
    });
    let options: Vec<Choice> = options.collect::<syn::Result<_>>()?;
    let first = options.first().ok_or_else(|| syn::Error::new_spanned(input, "a union needs an option"))?;
    let (default_name, default_type) = (first.name, first.ty);
    let columns = Columns {
        names: options.iter().map(|option| option.name).collect(),
        types: options.iter().map(|option| option.ty).collect(),
        selectors: options.iter().map(|option| &option.selector).collect(),
    };
    let (bytes, root, json) = (columns.bytes(), columns.root(), columns.json());
    let schema = columns.schema(&input.ident.to_string());
    let name = &input.ident;
    Ok(quote! {
        impl Default for #name {
            fn default() -> Self {
                Self::#default_name(Default::default())
            }
        }

        impl ::ssz::Ssz for #name {
            fn default_in(shape: &::ssz::Shape, ctx: &::ssz::Ctx) -> Self {
                Self::#default_name(<#default_type as ::ssz::Ssz>::default_in(shape, ctx))
            }

            #bytes
            #root
            #json
            #schema
        }
    })
}

impl Columns<'_> {
    fn bytes(&self) -> TokenStream {
        let Self { names, types, selectors } = self;
        quote! {
            fn fixed_len(_: &::ssz::Shape, _: &::ssz::Ctx) -> Option<usize> {
                None
            }

            fn encoded_len(&self, shape: &::ssz::Shape, ctx: &::ssz::Ctx) -> usize {
                match self {
                    #(Self::#names(value) => 1 + value.encoded_len(shape, ctx),)*
                }
            }

            fn encode(&self, out: &mut Vec<u8>, shape: &::ssz::Shape, ctx: &::ssz::Ctx) {
                match self {
                    #(Self::#names(value) => {
                        out.push(#selectors);
                        value.encode(out, shape, ctx);
                    })*
                }
            }

            fn decode(
                bytes: &[u8],
                shape: &::ssz::Shape,
                ctx: &::ssz::Ctx,
            ) -> Result<Self, ::ssz::DecodeError> {
                let (selector, rest) = ::ssz::union_selector(bytes)?;
                match selector {
                    #(#selectors => <#types as ::ssz::Ssz>::decode(rest, shape, ctx).map(Self::#names),)*
                    other => Err(::ssz::DecodeErrorKind::Selector(other).into()),
                }
            }
        }
    }

    fn root(&self) -> TokenStream {
        let Self { names, selectors, .. } = self;
        quote! {
            fn root(&self, shape: &::ssz::Shape, ctx: &::ssz::Ctx) -> ::ssz::Root {
                match self {
                    #(Self::#names(value) => {
                        ::ssz::mix_in_length(&value.root(shape, ctx), #selectors)
                    })*
                }
            }
        }
    }

    fn json(&self) -> TokenStream {
        let Self { names, types, selectors } = self;
        quote! {
            fn write_json(&self, out: &mut String, shape: &::ssz::Shape, ctx: &::ssz::Ctx) {
                match self {
                    #(Self::#names(value) => {
                        out.push_str(concat!("{\"selector\":\"", #selectors, "\",\"data\":"));
                        value.write_json(out, shape, ctx);
                        out.push('}');
                    })*
                }
            }

            fn read_json(
                value: &::ssz::JsonValue,
                shape: &::ssz::Shape,
                ctx: &::ssz::Ctx,
            ) -> Result<Self, ::ssz::JsonError> {
                let (selector, data) = ::ssz::union_json(value)?;
                match selector {
                    #(#selectors => <#types as ::ssz::Ssz>::read_json(data, shape, ctx).map(Self::#names),)*
                    other => Err(::ssz::JsonError::new(format!("unknown union selector {other}"))),
                }
            }
        }
    }

    fn schema(&self, title: &str) -> TokenStream {
        let Self { types, selectors, .. } = self;
        quote! {
            fn schema(shape: &::ssz::Shape, ctx: &::ssz::Ctx) -> ::ssz::Schema {
                let options = vec![#((#selectors, <#types as ::ssz::Ssz>::schema(shape, ctx)),)*];
                ::ssz::Schema::Union { name: #title, options }
            }
        }
    }
}
