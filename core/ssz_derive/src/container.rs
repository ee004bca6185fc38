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
    let fixed = fixed(&fields, &skipped);
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
                #fixed
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
    let fixed_lens = fields.iter().map(|field| match field.attributes.active() {
        Some(_) => quote!(None),
        None => {
            let ty = field.ty;
            quote!(<#ty as ::ssz::Ssz>::FIXED_LEN)
        }
    });
    quote! {
        const FIXED_LENS: [Option<usize>; #count] = [#(#fixed_lens),*];
        const ENDS: [usize; #count] = ::ssz::fixed_ends(&FIXED_LENS);
        const LEN: usize = ENDS[#count - 1];

        fn field_lens(ctx: &::ssz::Ctx) -> ([Option<usize>; #count], usize) {
            let mut lens = [None; #count];
            let mut count = 0;
            #(#pushes)*
            (lens, count)
        }
    }
}

/// Reading and writing at places that are known when the program is compiled, for containers of numbers, fixed bytes
/// and other such containers that are the same in all forks.
fn fixed(fields: &[Field], skipped: &[TokenStream]) -> TokenStream {
    let parts: Vec<TokenStream> = (0..fields.len())
        .map(|place| match place {
            0 => quote!(0..ENDS[0]),
            _ => {
                let before = place - 1;
                quote!(ENDS[#before]..ENDS[#place])
            }
        })
        .collect();
    let writes = fields.iter().zip(&parts).map(|(field, part)| {
        let name = field.name;
        quote!(::ssz::Ssz::write_fixed(&self.#name, &mut out[#part]);)
    });
    let reads = fields.iter().zip(&parts).map(|(field, part)| {
        let (name, text) = (field.name, &field.text);
        quote!(#name: ::ssz::Ssz::read_fixed(&bytes[#part]).map_err(|error| error.within(#text))?)
    });
    quote! {
        const FIXED_LEN: Option<usize> = ::ssz::fixed_sum(&FIXED_LENS);

        #[inline]
        fn write_fixed(&self, out: &mut [u8]) {
            let out: &mut [u8; LEN] = out.try_into().expect("room for a container of fixed size");
            #(#writes)*
        }

        #[inline]
        fn read_fixed(bytes: &[u8]) -> Result<Self, ::ssz::DecodeError> {
            let bytes: &[u8; LEN] = bytes.try_into().expect("bytes of a container of fixed size");
            Ok(Self { #(#reads,)* #(#skipped,)* })
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
            if Self::FIXED_LEN.is_some() {
                return Self::FIXED_LEN;
            }
            let (lens, count) = field_lens(ctx);
            lens[..count].iter().copied().sum()
        }

        fn encoded_len(&self, _: &::ssz::Shape, ctx: &::ssz::Ctx) -> usize {
            if Self::FIXED_LEN.is_some() {
                return LEN;
            }
            let mut total = 0;
            #(#lengths)*
            total
        }

        fn encode(&self, out: &mut Vec<u8>, _: &::ssz::Shape, ctx: &::ssz::Ctx) {
            if Self::FIXED_LEN.is_some() {
                let start = out.len();
                out.resize(start + LEN, 0);
                return self.write_fixed(&mut out[start..]);
            }
            let (lens, count) = field_lens(ctx);
            let mut writer = ::ssz::ContainerWriter::new(out, &lens[..count]);
            #(#writes)*
        }

        fn decode(
            bytes: &[u8],
            _: &::ssz::Shape,
            ctx: &::ssz::Ctx,
        ) -> Result<Self, ::ssz::DecodeError> {
            if Self::FIXED_LEN.is_some() {
                if bytes.len() != LEN {
                    return Err(::ssz::DecodeErrorKind::Length { expected: LEN, found: bytes.len() }.into());
                }
                return Self::read_fixed(bytes);
            }
            let (lens, count) = field_lens(ctx);
            let mut reader = ::ssz::ContainerReader::new(bytes, &lens[..count])?;
            Ok(Self { #(#reads,)* #(#skipped,)* })
        }
    }
}

/// A function with the roots of the fields that the fork has, and how many there are.
fn roots(container: &Ident, fields: &[Field]) -> TokenStream {
    let count = fields.len();
    let roots = fields.iter().map(|field| {
        let (name, shape) = (field.name, &field.shape);
        field.guarded(quote!({
            roots[count] = ::ssz::Ssz::root(&value.#name, &#shape, ctx).0;
            count += 1;
        }))
    });
    quote! {
        fn field_roots(value: &#container, ctx: &::ssz::Ctx) -> ([::ssz::Node; #count], usize) {
            let mut roots = [[0; 32]; #count];
            let mut count = 0;
            #(#roots)*
            (roots, count)
        }
    }
}

/// The roots of many containers: first those of their first fields, then those of their second …
fn many_roots(fields: &[Field]) -> TokenStream {
    let columns = fields.iter().map(|field| {
        let (name, shape, ty) = (field.name, &field.shape, field.ty);
        field.guarded(quote!({
            let column: Vec<&#ty> = items.iter().map(|item| &item.#name).collect();
            <#ty as ::ssz::Ssz>::write_roots(&column, &mut leaves[place..], width, &#shape, ctx);
            place += 1;
        }))
    });
    quote! {
        fn write_roots(
            items: &[&Self],
            out: &mut [::ssz::Node],
            stride: usize,
            shape: &::ssz::Shape,
            ctx: &::ssz::Ctx,
        ) {
            if ACTIVE_FIELDS.is_some() || items.len() < 2 {
                for (item, out) in items.iter().zip(out.iter_mut().step_by(stride)) {
                    *out = ::ssz::Ssz::root(*item, shape, ctx).0;
                }
                return;
            }
            let width = field_lens(ctx).1.next_power_of_two();
            let mut leaves = vec![[0; 32]; items.len() * width];
            let mut place = 0;
            #(#columns)*
            let _ = place;
            ::ssz::container_roots(&mut leaves, width, out, stride);
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
    let many_roots = many_roots(fields);
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
            let (mut roots, count) = field_roots(self, ctx);
            ::ssz::container_root(&mut roots[..count], ACTIVE_FIELDS)
        }

        #many_roots

        fn descend(
            &self,
            descent: &mut ::ssz::Descent,
            _: &::ssz::Shape,
            ctx: &::ssz::Ctx,
        ) -> Option<::ssz::Root> {
            let (mut roots, count) = field_roots(self, ctx);
            if descent.is_over() {
                return Some(::ssz::container_root(&mut roots[..count], ACTIVE_FIELDS));
            }
            let mut place = match ::ssz::container_descent(&roots[..count], ACTIVE_FIELDS, descent)? {
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
