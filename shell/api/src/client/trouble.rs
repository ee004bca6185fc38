//! What went wrong with a request, in one line: for whoever asks nodes that nobody vouches for.

/// What is repeated of a node's words; some answer with whole pages.
const WORDS_MAX: usize = 300;

/// Why a request had no answer: the kind of trouble, and the cause at the end of the error's chain, which is the one that
/// says something (a name that is not known, a connection that was refused).
pub fn trouble(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let cause: String = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    match error {
        _ if error.is_timeout() => "no answer in time".to_owned(),
        _ if error.is_connect() => format!("cannot connect: {cause}"),
        _ if error.is_builder() => format!("this is no URL: {cause}"),
        _ => cause,
    }
}

/// What a node says with a refusal: the message of the API's form, else the text of its answer without markup.
pub fn refusal(body: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let text = match json["message"].as_str() {
        Some(message) => message.to_owned(),
        None if body.trim_start().starts_with('<') => {
            // Each tag ends at its bracket; what stands between tags is text.
            body.split('<')
                .map(|part| part.split_once('>').map_or(part, |(_, text)| text))
                .collect::<Vec<_>>()
                .join(" ")
        }
        None => body.to_owned(),
    };
    let words = text.split(|sign: char| sign.is_whitespace() || sign.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(WORDS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_short_line_whatever_it_is_made_of() {
        assert_eq!(refusal(r#"{"code":404,"message":"no\nsuch block"}"#), "no such block");
        assert_eq!(refusal("out of\n order\u{1b}[1m"), "out of order [1m");
        assert_eq!(refusal("<html>\n<title>Not\tfound</title><p>at all</p>"), "Not found at all");
        assert_eq!(refusal(""), "");
        assert_eq!(refusal(&"x ".repeat(4000)).len(), WORDS_MAX);
    }

    #[tokio::test]
    async fn the_cause_of_a_failed_connection_is_told() {
        let ask = |url: &'static str| async move { trouble(&reqwest::get(url).await.unwrap_err()) };
        // Nobody listens on port 1 of loopback, and no name ends with `invalid`.
        let refused = ask("http://127.0.0.1:1/").await;
        assert!(refused.starts_with("cannot connect: ") && refused.contains("refused"), "{refused}");
        let unknown = ask("http://nowhere.invalid/").await;
        assert!(unknown.starts_with("cannot connect: ") && unknown.contains("lookup"), "{unknown}");
        assert!(ask("127.0.0.1").await.starts_with("this is no URL: "));
    }
}
