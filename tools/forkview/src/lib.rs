//! The fork view: a page that shows the block trees of many nodes, live or from a recorded trace.
//!
//! The files of `page/` are embedded, so that every node can serve them and the page needs no network beside the nodes
//! that it looks at. It asks the standard Beacon API and so shows other makers' nodes too. It opens
//! `?node=NAME@URL&node=…`, `?trace=URL`, or without either the nodes that `nodes.json` beside it lists.

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
    "world.js" "text/javascript; charset=utf-8"
    "layout.js" "text/javascript; charset=utf-8"
    "draw.js" "text/javascript; charset=utf-8"
    "panel.js" "text/javascript; charset=utf-8"
    "source.js" "text/javascript; charset=utf-8"
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
