//! The dashboard: a page with the figures of many nodes and of their validator clients, as they change.
//!
//! The files of `page/` are embedded, so that every node can serve them and the page needs no network beside the nodes
//! that it looks at. It reads `/interlock/v1/status` of each, and where a node of another maker has no such thing, the
//! Beacon API. It opens `?node=NAME@URL&validator=NAME@URL&…`, or without either the nodes that `nodes.json` beside it
//! lists.

pub use assets::Asset;

/// All files of the page.
pub const ASSETS: &[Asset] =
    assets::assets! { "index.html" "style.css" "main.js" "source.js" "cards.js" "branches.js" "charts.js" };

/// The file with a name; the empty name is the page itself.
pub fn asset(name: &str) -> Option<&'static Asset> {
    assets::find(ASSETS, name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_that_the_page_names_is_there_and_none_comes_from_elsewhere() {
        let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/page"));
        assert_eq!(assets::faults(super::ASSETS, folder), Vec::<String>::new());
    }
}
