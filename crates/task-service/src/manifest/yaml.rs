//! A text of YAML, as values that know their lines.
//!
//! What Kubernetes takes from YAML is JSON: maps by text, lists, and scalars whose type their field
//! decides. So a scalar is kept as its text. Aliases and merge keys are resolved here.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle};

use super::error::{ManifestError, Problem};

/// A text is refused beyond this many values: with aliases, a short one may have any number.
const MOST_NODES: usize = 100_000;
/// Kubernetes' own objects have about 20 levels.
const MOST_LEVELS: usize = 100;
const MERGE: &str = "<<";

/// A value, and the line on which it begins, counted from 1.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
    /// How many values it has, itself counted, and in how many levels.
    size: usize,
    levels: usize,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    fn scalar(line: usize, text: &str, is_plain: bool) -> Self {
        let is_null = is_plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
        let value = if is_null { Value::Null } else { Value::Scalar(text.to_owned()) };
        Self { line, value, size: 1, levels: 1 }
    }

    /// Returns the line of a key that a map has twice, if there is one: of such two, readers take
    /// either.
    fn collection(Open { line, nodes, is_map, .. }: Open) -> Result<Self, usize> {
        let size = nodes.iter().fold(1, |size, node| node.size.saturating_add(size));
        let levels = nodes.iter().fold(1, |levels, node| levels.max(node.levels + 1));
        let value = if is_map { Value::Map(entries(nodes)?) } else { Value::List(nodes) };
        Ok(Self { line, value, size, levels })
    }

    /// Returns the value of a key. What is null is not there.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        let (_, node) = entries.iter().find(|(own, _)| own == key)?;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    pub(super) fn nodes(&self) -> &[Node] {
        match &self.value {
            Value::List(nodes) => nodes,
            Value::Null | Value::Scalar(_) | Value::Map(_) => &[],
        }
    }

    pub(super) fn entries(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            Value::Null | Value::Scalar(_) | Value::List(_) => &[],
        }
    }
}

/// What is open: the line on which it begins, what is in it so far, and the anchor.
struct Open {
    line: usize,
    nodes: Vec<Node>,
    is_map: bool,
    anchor: usize,
}

/// Reads the documents of a text; those that are empty are left out.
pub(super) fn read(text: &str) -> Result<Vec<Node>, ManifestError> {
    let refused = |line: usize, why: &str| Problem::NoYaml { line, why: why.to_owned() };
    let mut documents = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Node> = HashMap::new();
    let mut made = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| refused(error.marker().line(), &error.info()))?;
        let line = span.start.line();
        if open.len() >= MOST_LEVELS {
            return Err(refused(line, "it has too many levels").into());
        }
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                (Node::scalar(line, &text, style == ScalarStyle::Plain), anchor)
            }
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => {
                    made = made.saturating_add(node.size);
                    (node.clone(), 0)
                }
                None => return Err(refused(line, "an alias is within what it stands for").into()),
            },
            Event::SequenceStart(_, anchor, _) => {
                open.push(Open { line, nodes: Vec::new(), is_map: false, anchor });
                continue;
            }
            Event::MappingStart(_, anchor, _) => {
                open.push(Open { line, nodes: Vec::new(), is_map: true, anchor });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = open.pop() else { continue };
                let anchor = open.anchor;
                let twice = |line| refused(line, "the map has this key already");
                (Node::collection(open).map_err(twice)?, anchor)
            }
            _ => continue,
        };
        made = made.saturating_add(1);
        if anchor > 0 {
            made = made.saturating_add(node.size);
        }
        if made > MOST_NODES {
            return Err(refused(line, "it is too large, with its aliases").into());
        }
        if node.levels > MOST_LEVELS {
            return Err(refused(line, "it has too many levels").into());
        }
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            Some(open) => open.nodes.push(node),
            None if matches!(node.value, Value::Null) => {}
            None => documents.push(node),
        }
    }
    Ok(documents)
}

/// Of keys and values in turn.
fn entries(nodes: Vec<Node>) -> Result<Vec<(String, Node)>, usize> {
    let mut entries: Vec<(String, Node)> = Vec::new();
    let mut keys = HashSet::new();
    let mut merged = Vec::new();
    let mut nodes = nodes.into_iter();
    while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
        match (key.value, value.value) {
            (Value::Scalar(key), Value::List(maps)) if key == MERGE => merged.extend(maps),
            (Value::Scalar(key), map) if key == MERGE => merged.push(Node { value: map, ..value }),
            (Value::Scalar(own), _) if !keys.insert(own.clone()) => return Err(key.line),
            (Value::Scalar(key), own) => entries.push((key, Node { value: own, ..value })),
            // Kubernetes takes no other keys.
            (Value::Null | Value::List(_) | Value::Map(_), _) => {}
        }
    }
    for map in merged {
        let Value::Map(more) = map.value else { continue };
        for (key, value) in more {
            if keys.insert(key.clone()) {
                entries.push((key, value));
            }
        }
    }
    Ok(entries)
}
