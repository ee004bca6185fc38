//! What a process exposes, read from the text of its metrics.

use std::collections::{BTreeMap, BTreeSet};

/// A series: its labels, and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All series by the names of their metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposed(pub BTreeMap<String, Vec<Series>>);

impl Exposed {
    /// Reads Prometheus' text, version 0.0.4.
    ///
    /// # Errors
    /// The first line that is none of that format.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut found = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (name, series) = read_line(line).ok_or_else(|| line.to_owned())?;
            found.0.entry(name).or_default().push(series);
        }
        Ok(found)
    }

    /// Those of both processes.
    pub fn with(mut self, other: Self) -> Self {
        for (name, series) in other.0 {
            self.0.entry(name).or_default().extend(series);
        }
        self
    }

    /// The value of a metric's only series.
    pub fn value(&self, name: &str) -> Option<f64> {
        match self.0.get(name)?.as_slice() {
            [one] => Some(one.value),
            _ => None,
        }
    }

    /// The names of a metric's labels.
    pub fn labels(&self, name: &str) -> BTreeSet<&str> {
        let series = self.0.get(name).into_iter().flatten();
        series.flat_map(|series| series.labels.keys().map(String::as_str)).collect()
    }

    /// True where a metric has a series with this label.
    pub fn has(&self, name: &str, label: &str, value: &str) -> bool {
        let series = self.0.get(name).into_iter().flatten();
        series.into_iter().any(|series| series.labels.get(label).is_some_and(|found| found == value))
    }
}

fn read_line(line: &str) -> Option<(String, Series)> {
    let (front, value) = line.rsplit_once(' ')?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        number => number.parse().ok()?,
    };
    let Some((name, rest)) = front.split_once('{') else {
        return Some((front.to_owned(), Series { labels: BTreeMap::new(), value }));
    };
    let mut labels = BTreeMap::new();
    let mut rest = rest.strip_suffix('}')?;
    while !rest.is_empty() {
        let (label, after) = rest.split_once("=\"")?;
        // No label of ours has a quotation mark in its value.
        let (text, after) = after.split_once('"')?;
        labels.insert(label.to_owned(), text.to_owned());
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some((name.to_owned(), Series { labels, value }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_values_are_read() {
        let text = "# HELP a A.\n# TYPE a gauge\na 1.5\nb_bucket{le=\"+Inf\",job=\"x, y\"} 3\n";
        let found = Exposed::read(text).unwrap();
        assert_eq!(found.value("a"), Some(1.5));
        assert!(found.has("b_bucket", "job", "x, y") && !found.has("b_bucket", "job", "x"));
        assert_eq!(found.labels("b_bucket"), BTreeSet::from(["job", "le"]));
        assert_eq!(Exposed::read("a b c{").unwrap_err(), "a b c{");
    }
}
