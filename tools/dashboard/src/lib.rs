//! The dashboard: a page with the figures of many nodes and of their validator clients, as they change.
//!
//! The files of `page/` are embedded, so that every node can serve them and the page needs no network beside the nodes
//! that it looks at. It reads `/interlock/v1/status` of each, and where a node of another maker has no such thing, the
//! Beacon API. It opens `?node=NAME@URL&validator=NAME@URL&…`, or without either the nodes that `nodes.json` beside it
//! lists.

#![cfg_attr(test, allow(clippy::unwrap_used))]

/// A file of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its name, without a folder.
    pub name: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! assets {
    ($($name:literal $media_type:literal)*) => {
        &[$(Asset { name: $name, media_type: $media_type, text: include_str!(concat!("../page/", $name)) }),*]
    };
}

/// All files of the page.
pub const ASSETS: &[Asset] = assets! {
    "index.html" "text/html; charset=utf-8"
    "style.css" "text/css; charset=utf-8"
    "main.js" "text/javascript; charset=utf-8"
    "source.js" "text/javascript; charset=utf-8"
    "cards.js" "text/javascript; charset=utf-8"
    "charts.js" "text/javascript; charset=utf-8"
};

/// The file with a name; the empty name is the page itself.
pub fn asset(name: &str) -> Option<&'static Asset> {
    let name = if name.is_empty() { "index.html" } else { name };
    ASSETS.iter().find(|asset| asset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_the_page_names_is_there_and_none_comes_from_elsewhere() {
        for asset in ASSETS {
            for line in asset.text.lines() {
                let quoted = line.split(['\'', '"']).skip(1).step_by(2);
                for name in quoted.filter(|text| text.ends_with(".js") || text.ends_with(".css")) {
                    let name = name.trim_start_matches("./");
                    assert!(self::asset(name).is_some(), "{} names {name}", asset.name);
                }
                assert!(!line.contains("//cdn") && !line.contains("https://"), "{}: {line}", asset.name);
            }
        }
        let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/page")).unwrap().count();
        assert_eq!(files, ASSETS.len(), "every file of the folder is embedded");
    }
}
