//! Vector sets from outside the consensus specification that use layouts of their own:
//! `bls12-381-tests` and `c-kzg-4844`'s. They are given places in the standard layout.

/// The case's names and the file's, for a path of one of these sets.
pub fn place(names: &[String]) -> Option<(Vec<String>, String)> {
    let at = |folder: &str| names.iter().rposition(|name| name == folder);
    let case = |runner: &str, handler: &str, suite: &str, name: &str| {
        ["general", "phase0", runner, handler, suite, name].map(str::to_owned).to_vec()
    };
    if let Some(start) = at("bls12-381-tests") {
        // …/out/json/bls/<handler>/<case>.json
        let [.., handler, file] = names[start + 1..].get(..)? else { return None };
        let name = file.strip_suffix(".json")?;
        return Some((case("bls12_381", handler, "json", name), "data.json".into()));
    }
    if let Some(start) = at("kzg-c-kzg-4844-tests") {
        // …/tests/<handler>/<suite>/<case>/<file>
        let [tests, handler, suite, name, file] = names.get(start + 1..)? else { return None };
        return (tests == "tests").then(|| (case("kzg", handler, suite, name), file.clone()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_bls_set_becomes_a_case_of_its_own() {
        let names: Vec<String> =
            "bls12-381-tests/out/json/bls/sign/a.json".split('/').map(str::to_owned).collect();
        let (case, file) = place(&names).unwrap();
        assert_eq!(case.join("/"), "general/phase0/bls12_381/sign/json/a");
        assert_eq!(file, "data.json");
    }
}
