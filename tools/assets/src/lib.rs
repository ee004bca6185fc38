//! Files of a page that are embedded in the program, so that every node can serve them and the page needs no network
//! beside the nodes that it looks at.

use std::path::Path;

/// A file of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its name, without a folder.
    pub name: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// The named files of the folder `page` beside the `src` of who calls this, as `&[Asset]`.
#[macro_export]
macro_rules! assets {
    ($($name:literal)*) => {
        &[$($crate::Asset {
            name: $name,
            media_type: $crate::media_type($name),
            text: include_str!(concat!("../page/", $name)),
        }),*]
    };
}

/// The media type of a file, by the end of its name; other files than pages are made of do not compile.
pub const fn media_type(name: &str) -> &'static str {
    match name.as_bytes() {
        [.., b'.', b'h', b't', b'm', b'l'] => "text/html; charset=utf-8",
        [.., b'.', b'c', b's', b's'] => "text/css; charset=utf-8",
        [.., b'.', b'j', b's'] => "text/javascript; charset=utf-8",
        _ => panic!("no page is made of such files"),
    }
}

/// The file with a name; the empty name is the page itself.
pub fn find(assets: &'static [Asset], name: &str) -> Option<&'static Asset> {
    let name = if name.is_empty() { "index.html" } else { name };
    assets.iter().find(|asset| asset.name == name)
}

/// What is wrong with the files of a page, for its test: names of files that are not there, addresses of other networks,
/// and files of the folder that are not embedded.
pub fn faults(assets: &'static [Asset], folder: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for asset in assets {
        for line in asset.text.lines() {
            let quoted = line.split(['\'', '"']).skip(1).step_by(2);
            for name in quoted.filter(|text| text.ends_with(".js") || text.ends_with(".css")) {
                if find(assets, name.trim_start_matches("./")).is_none() {
                    faults.push(format!("{} names {name}, which is not there", asset.name));
                }
            }
            if line.contains("//cdn") || line.contains("https://") {
                faults.push(format!("{} names another network: {line}", asset.name));
            }
        }
    }
    match std::fs::read_dir(folder).map(Iterator::count) {
        Ok(count) if count == assets.len() => {}
        Ok(_) => faults.push(format!("not every file of {} is embedded", folder.display())),
        Err(error) => faults.push(format!("{}: {error}", folder.display())),
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &[Asset] = &[
        Asset { name: "index.html", media_type: "text/html", text: "<script src=\"main.js\"></script>\n" },
        Asset {
            name: "main.js",
            media_type: "text/javascript",
            text: "import './gone.js';\nfetch('https://a.b')",
        },
    ];

    #[test]
    fn what_a_page_lacks_is_told() {
        let faults = faults(PAGE, Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!(faults[0].contains("./gone.js") && faults[1].contains("https://a.b"), "{faults:?}");
        assert!(faults[2].contains("not every file"), "{faults:?}");
    }

    #[test]
    fn the_empty_name_is_the_page() {
        assert_eq!(find(PAGE, "").map(|asset| asset.name), Some("index.html"));
        assert_eq!(find(PAGE, "../main.js"), None);
    }
}
