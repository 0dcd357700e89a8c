//! Lists with parameters and qualities: the syntax of `Accept` and `Accept-Encoding`.

/// An item, such as `text/plain;version=0.0.4;q=0.5`.
pub(super) struct Item<'a> {
    pub(super) value: &'a str,
    parameters: &'a str,
    /// From 0, "not acceptable", to 1000, the default.
    pub(super) quality: u16,
}

impl<'a> Item<'a> {
    /// Returns the value of a parameter, without quotes.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        parameters(self.parameters)
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// Splits a list into its items, without empty ones.
pub(super) fn items(list: &str) -> impl Iterator<Item = Item<'_>> {
    split_unquoted(list, ',').filter_map(|text| {
        let (value, parameters) = text.split_once(';').unwrap_or((text, ""));
        let value = value.trim();
        let item = Item { value, parameters, quality: quality(parameters) };
        (!value.is_empty()).then_some(item)
    })
}

/// Returns the quality among the parameters of an item, in thousandths.
fn quality(text: &str) -> u16 {
    let listed = parameters(text).find(|(name, _)| name.eq_ignore_ascii_case("q"));
    let parsed = listed.and_then(|(_, value)| value.parse::<f32>().ok()).filter(|q| q.is_finite());
    // A malformed quality counts as absent. The cast saturates, and the value is in range anyway.
    parsed.map_or(1000, |q| (q.clamp(0.0, 1.0) * 1000.0).round() as u16)
}

/// Splits the parameters of an item. Parameters without a value are left out.
fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    split_unquoted(text, ';').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        Some((name.trim(), value.trim().trim_matches('"')))
    })
}

/// Splits at a separator, except within quotes.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |character| {
        is_quoted ^= character == '"';
        character == separator && !is_quoted
    })
}
