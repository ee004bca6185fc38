//! The fork view: a page that shows the block trees of many nodes, live or from a recorded trace.
//!
//! The files of `page/` are embedded, so that every node can serve them and the page needs no network beside the nodes
//! that it looks at. It asks the standard Beacon API and so shows other makers' nodes too. It opens
//! `?node=NAME@URL&node=…`, `?trace=URL`, or without either the nodes that `nodes.json` beside it lists.

pub use assets::Asset;

/// All files of the page.
pub const ASSETS: &[Asset] = assets::assets! { "index.html" "style.css" "main.js" "world.js" "layout.js" "draw.js" "panel.js" "source.js" };

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
