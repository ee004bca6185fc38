//! The derive for structs.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{DataStruct, DeriveInput, Ident, Type};

use crate::attributes::{FieldAttributes, active_fields};

struct Field<'a> {
    name: &'a Ident,
    text: String,
    shape: Ident,
    ty: &'a Type,
    attributes: FieldAttributes,
}

impl Field<'_> {
    /// `code`, guarded so that it runs only where the fork has the field.
    fn guarded(&self, code: TokenStream) -> TokenStream {
        match self.attributes.active() {
            Some(active) => quote!(if #active { #code }),
            None => code,
        }
    }
}

pub fn derive(input: &DeriveInput, data: &DataStruct) -> syn::Result<TokenStream> {
    let mut fields = Vec::new();
    let mut skipped = Vec::new();
    for field in &data.fields {
        let name = field.ident.as_ref().ok_or_else(|| syn::Error::new_spanned(field, "fields need names"))?;
        let attributes = FieldAttributes::read(&field.attrs)?;
        if attributes.skip {
            skipped.push(quote!(#name: Default::default()));
            continue;
        }
        let text = name.to_string();
        let shape = format_ident!("SHAPE_{}", text.to_uppercase());
        fields.push(Field { name, text, shape, ty: &field.ty, attributes });
    }
    let name = &input.ident;
    let active = active_fields(&input.attrs)?;
    let active = match active {
        Some(bits) => quote!(Some(&[#(#bits),*])),
        None => quote!(None),
    };
    let shapes = fields.iter().map(|field| {
        let (shape, value) = (&field.shape, &field.attributes.shape);
        quote!(const #shape: ::ssz::Shape = #value;)
    });
    let sizes = sizes(&fields);
    let roots = roots(name, &fields);
    let bytes = bytes(&fields, &skipped);
    let values = values(&fields, &skipped);
    let json = json(name, &fields, &skipped);
    Ok(quote! {
        const _: () = {
            #(#shapes)*
            const ACTIVE_FIELDS: Option<&'static [bool]> = #active;
            #sizes
            #roots
            impl ::ssz::Ssz for #name {
                #bytes
                #values
                #json
            }
        };
    })
}

/// A function with the sizes of the fields that the fork has.
fn sizes(fields: &[Field]) -> TokenStream {
    let count = fields.len();
    let pushes = fields.iter().map(|field| {
        let (ty, shape) = (field.ty, &field.shape);
        field.guarded(quote!({
            lens[count] = <#ty as ::ssz::Ssz>::fixed_len(&#shape, ctx);
            count += 1;
        }))
    });
    quote! {
        fn field_lens(ctx: &::ssz::Ctx) -> ([Option<usize>; #count], usize) {
            let mut lens = [None; #count];
            let mut count = 0;
            #(#pushes)*
            (lens, count)
        }
    }
}

fn bytes(fields: &[Field], skipped: &[TokenStream]) -> TokenStream {
    let lengths = fields.iter().map(|field| {
        let (name, ty, shape) = (field.name, field.ty, &field.shape);
        field.guarded(quote!({
            total += match <#ty as ::ssz::Ssz>::fixed_len(&#shape, ctx) {
                Some(len) => len,
                None => 4 + ::ssz::Ssz::encoded_len(&self.#name, &#shape, ctx),
            };
        }))
    });
    let writes = fields.iter().map(|field| {
        let (name, shape) = (field.name, &field.shape);
        field.guarded(quote!({ writer.field(&self.#name, &#shape, ctx); }))
    });
    let reads = fields.iter().map(|field| {
        let (name, shape, text) = (field.name, &field.shape, &field.text);
        let read = quote!(reader.field(#text, &#shape, ctx)?);
        match field.attributes.active() {
            Some(active) => quote!(#name: if #active { #read } else { Default::default() }),
            None => quote!(#name: #read),
        }
    });
    quote! {
        fn fixed_len(_: &::ssz::Shape, ctx: &::ssz::Ctx) -> Option<usize> {
            let (lens, count) = field_lens(ctx);
            lens[..count].iter().copied().sum()
        }

        fn encoded_len(&self, _: &::ssz::Shape, ctx: &::ssz::Ctx) -> usize {
            let mut total = 0;
            #(#lengths)*
            total
        }

        fn encode(&self, out: &mut Vec<u8>, _: &::ssz::Shape, ctx: &::ssz::Ctx) {
            let (lens, count) = field_lens(ctx);
            let mut writer = ::ssz::ContainerWriter::new(out, &lens[..count]);
            #(#writes)*
        }

        fn decode(
            bytes: &[u8],
            _: &::ssz::Shape,
            ctx: &::ssz::Ctx,
        ) -> Result<Self, ::ssz::DecodeError> {
            let (lens, count) = field_lens(ctx);
            let mut reader = ::ssz::ContainerReader::new(bytes, &lens[..count])?;
            Ok(Self { #(#reads,)* #(#skipped,)* })
        }
    }
}

/// A function with the roots of the fields that the fork has.
fn roots(container: &Ident, fields: &[Field]) -> TokenStream {
    let roots = fields.iter().map(|field| {
        let (name, shape) = (field.name, &field.shape);
        field.guarded(quote!({ roots.push(::ssz::Ssz::root(&value.#name, &#shape, ctx)); }))
    });
    quote! {
        fn field_roots(value: &#container, ctx: &::ssz::Ctx) -> Vec<::ssz::Root> {
            let mut roots = Vec::new();
            #(#roots)*
            roots
        }
    }
}

fn values(fields: &[Field], skipped: &[TokenStream]) -> TokenStream {
    let descents = fields.iter().map(|field| {
        let (name, shape) = (field.name, &field.shape);
        field.guarded(quote!({
            if place == 0 {
                return ::ssz::Ssz::descend(&self.#name, descent, &#shape, ctx);
            }
            place -= 1;
        }))
    });
    let defaults = fields.iter().map(|field| {
        let (name, shape, ty) = (field.name, &field.shape, field.ty);
        let value = quote!(<#ty as ::ssz::Ssz>::default_in(&#shape, ctx));
        match field.attributes.active() {
            Some(active) => quote!(#name: if #active { #value } else { Default::default() }),
            None => quote!(#name: #value),
        }
    });
    quote! {
        fn root(&self, _: &::ssz::Shape, ctx: &::ssz::Ctx) -> ::ssz::Root {
            ::ssz::container_root(field_roots(self, ctx), ACTIVE_FIELDS)
        }

        fn descend(
            &self,
            descent: &mut ::ssz::Descent,
            _: &::ssz::Shape,
            ctx: &::ssz::Ctx,
        ) -> Option<::ssz::Root> {
            let roots = field_roots(self, ctx);
            if descent.is_over() {
                return Some(::ssz::container_root(roots, ACTIVE_FIELDS));
            }
            let mut place = match ::ssz::container_descent(&roots, ACTIVE_FIELDS, descent)? {
                ::ssz::Reached::Node(root) => return Some(root),
                ::ssz::Reached::Leaf(place) => place,
            };
            #(#descents)*
            let _ = place;
            None
        }

        fn default_in(_: &::ssz::Shape, ctx: &::ssz::Ctx) -> Self {
            let _ = ctx;
            Self { #(#defaults,)* #(#skipped,)* }
        }
    }
}

fn json(container: &Ident, fields: &[Field], skipped: &[TokenStream]) -> TokenStream {
    let title = container.to_string();
    let writes = fields.iter().map(|field| {
        let (name, shape) = (field.name, &field.shape);
        let key = format!("\"{}\":", field.text);
        field.guarded(quote!({
            out.push(separator);
            separator = ',';
            out.push_str(#key);
            ::ssz::Ssz::write_json(&self.#name, out, &#shape, ctx);
        }))
    });
    let reads = fields.iter().map(|field| {
        let (name, shape, text) = (field.name, &field.shape, &field.text);
        let read = quote!(object.field(#text, &#shape, ctx)?);
        match field.attributes.active() {
            Some(active) => quote!(#name: if #active { #read } else { Default::default() }),
            None => quote!(#name: #read),
        }
    });
    let schemas = fields.iter().map(|field| {
        let (shape, ty, text) = (&field.shape, field.ty, &field.text);
        field.guarded(quote!({ fields.push((#text, <#ty as ::ssz::Ssz>::schema(&#shape, ctx))); }))
    });
    quote! {
        fn write_json(&self, out: &mut String, _: &::ssz::Shape, ctx: &::ssz::Ctx) {
            let mut separator = '{';
            #(#writes)*
            debug_assert_eq!(separator, ',', "a container has fields");
            out.push('}');
        }

        fn read_json(
            value: &::ssz::JsonValue,
            _: &::ssz::Shape,
            ctx: &::ssz::Ctx,
        ) -> Result<Self, ::ssz::JsonError> {
            let object = ::ssz::JsonObject::new(value)?;
            Ok(Self { #(#reads,)* #(#skipped,)* })
        }

        fn schema(_: &::ssz::Shape, ctx: &::ssz::Ctx) -> ::ssz::Schema {
            let mut fields = Vec::new();
            #(#schemas)*
            ::ssz::Schema::Container { name: #title, fields, active_fields: ACTIVE_FIELDS }
        }
    }
}
