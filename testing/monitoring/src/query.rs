//! PromQL, read as far as it takes to know what a query asks for: metrics, labels and functions. That queries are well
//! formed in every other way is for Prometheus itself to say, which another test asks.

use std::collections::BTreeSet;
use std::iter::Peekable;

/// The functions and aggregations that queries may use; another one is taken for a slip.
const FUNCTIONS: [&str; 12] = [
    "rate",
    "increase",
    "irate",
    "delta",
    "histogram_quantile",
    "sum",
    "avg",
    "min",
    "max",
    "count",
    "floor",
    "clamp_max",
];
/// What a list of labels in parentheses follows.
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Words between vectors.
const OPERATORS: [&str; 4] = ["and", "or", "unless", "bool"];

/// A metric that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Its name.
    pub metric: String,
    /// What its labels must be: name, operator and value.
    pub matchers: Vec<(String, String, String)>,
}

/// What a query asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// The metrics.
    pub selectors: Vec<Selector>,
    /// The labels that something is grouped or matched by.
    pub grouped: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    /// A number or a duration.
    Number,
    /// Everything else; two characters where they belong together.
    Sign(String),
}

fn is_sign(token: Option<&Token>, wanted: &str) -> bool {
    matches!(token, Some(Token::Sign(sign)) if sign == wanted)
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut rest = text.trim_start();
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let take = |is_part: fn(char) -> bool| rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (token, length) = match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = take(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
                (Token::Word(rest[..length].to_owned()), length)
            }
            '0'..='9' | '.' => (Token::Number, take(|c| c.is_ascii_alphanumeric() || c == '.')),
            '"' => {
                let inside = rest[1..].find('"').ok_or_else(|| format!("a text without an end: {rest}"))?;
                (Token::Text(rest[1..=inside].to_owned()), inside + 2)
            }
            _ => {
                let two = ["!=", "=~", "!~", "==", "<=", ">="].into_iter().find(|two| rest.starts_with(two));
                let length = two.map_or(first.len_utf8(), str::len);
                (Token::Sign(rest[..length].to_owned()), length)
            }
        };
        found.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// What it stumbled over, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut query = Self::default();
        let mut open = Vec::new();
        let mut tokens = tokens(text)?.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                Token::Word(word) => query.word(word, &mut tokens)?,
                Token::Sign(sign) => match sign.as_str() {
                    "(" | "[" => open.push(sign),
                    ")" if open.pop().as_deref() == Some("(") => {}
                    "]" if open.pop().as_deref() == Some("[") => {}
                    "+" | "-" | "*" | "/" | "," | ">" | "<" | "==" | "!=" | "<=" | ">=" => {}
                    other => return Err(format!("{other} is not expected in {text}")),
                },
                Token::Number => {}
                Token::Text(text) => return Err(format!("the text {text:?} belongs to no label")),
            }
        }
        match open.is_empty() && !query.selectors.is_empty() {
            true => Ok(query),
            false => Err(format!("{text} ends too early, or asks for nothing")),
        }
    }

    fn word(&mut self, word: String, rest: &mut Peekable<impl Iterator<Item = Token>>) -> Result<(), String> {
        if GROUPINGS.contains(&word.as_str()) {
            return self.grouping(rest);
        }
        if OPERATORS.contains(&word.as_str()) {
            return Ok(());
        }
        let is_call = is_sign(rest.peek(), "(")
            || matches!(rest.peek(), Some(Token::Word(next)) if GROUPINGS.contains(&next.as_str()));
        if is_call && FUNCTIONS.contains(&word.as_str()) {
            return Ok(());
        }
        if is_sign(rest.peek(), "(") {
            return Err(format!("{word} is no function that is known here"));
        }
        let mut matchers = Vec::new();
        if is_sign(rest.peek(), "{") {
            rest.next();
            while !is_sign(rest.peek(), "}") {
                matchers.push(matcher(rest)?);
                if is_sign(rest.peek(), ",") {
                    rest.next();
                }
            }
            rest.next();
        }
        self.selectors.push(Selector { metric: word, matchers });
        Ok(())
    }

    fn grouping(&mut self, rest: &mut impl Iterator<Item = Token>) -> Result<(), String> {
        if !is_sign(rest.next().as_ref(), "(") {
            return Err("a grouping names no labels".to_owned());
        }
        loop {
            match rest.next() {
                Some(Token::Word(label)) => drop(self.grouped.insert(label)),
                Some(Token::Sign(sign)) if sign == "," => {}
                Some(Token::Sign(sign)) if sign == ")" => return Ok(()),
                other => return Err(format!("{other:?} is no label to group by")),
            }
        }
    }
}

fn matcher(rest: &mut impl Iterator<Item = Token>) -> Result<(String, String, String), String> {
    match (rest.next(), rest.next(), rest.next()) {
        (Some(Token::Word(label)), Some(Token::Sign(operator)), Some(Token::Text(value)))
            if ["=", "!=", "=~", "!~"].contains(&operator.as_str()) =>
        {
            Ok((label, operator, value))
        }
        other => Err(format!("{other:?} matches no label")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_matchers_and_groups_are_found() {
        let text = r#"histogram_quantile(0.95, sum by (le, call) (rate(a_bucket{x="1", y!~"b|c"}[1m]))) / on (z) d > 0"#;
        let query = Query::read(text).unwrap();
        let own = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(query.selectors[0].metric, "a_bucket");
        assert_eq!(query.selectors[0].matchers, [own("x", "=", "1"), own("y", "!~", "b|c")]);
        assert_eq!(query.selectors[1], Selector { metric: "d".to_owned(), matchers: Vec::new() });
        let groups: Vec<&str> = query.grouped.iter().map(String::as_str).collect();
        assert_eq!(groups, ["call", "le", "z"]);
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for (text, expected) in [
            ("sum by (", "no label to group by"),
            ("rate(a[1m]", "ends too early"),
            ("rat(a[1m])", "rat is no function"),
            ("a{x=1}", "matches no label"),
            ("a{x=\"1}", "a text without an end"),
            ("a)", ") is not expected"),
            ("", "asks for nothing"),
        ] {
            let error = Query::read(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
