//! Reads the project's files, and tells a Rust file's code from its comments, its strings and its tests.

use std::path::{Path, PathBuf};

/// One file of the project.
pub struct Source {
    /// Below the project's folder, with forward slashes.
    pub path: String,
    pub text: String,
    /// As long as `text`, line by line, with comments and the insides of literals blanked. Empty unless it is Rust.
    pub code: String,
    /// What stands between the quotes of each string literal, with the offset of its first byte. Empty unless Rust.
    pub literals: Vec<(usize, String)>,
    test_ranges: Vec<std::ops::Range<usize>>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let mut source = Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code: String::new(),
            literals: Vec::new(),
            test_ranges: Vec::new(),
        };
        if source.is_rust() {
            (source.code, source.literals) = strip(text);
            source.test_ranges = test_ranges(&source.code);
        }
        source
    }

    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// A whole file of tests: the manual, a crate's integration tests, a `tests.rs` beside its module.
    pub fn is_test_file(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.contains("/benches/")
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
            || self.path.ends_with("/testing.rs")
    }

    pub fn is_test(&self, offset: usize) -> bool {
        self.is_test_file() || self.test_ranges.iter().any(|range| range.contains(&offset))
    }

    /// Where `word` stands in the code, as a word of its own: `f64`, not `of64`.
    pub fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
            let is_part = |c: char| c.is_alphanumeric() || c == '_';
            let starts_in_word = word.starts_with(is_part) && self.code[..at].ends_with(is_part);
            let ends_in_word = word.ends_with(is_part) && self.code[at + word.len()..].starts_with(is_part);
            !starts_in_word && !ends_in_word
        })
    }

    pub fn line_of(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    pub fn complaint(&self, offset: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, self.line_of(offset))
    }
}

/// Blanks comments and the insides of string and character literals, and collects the string literals.
fn strip(text: &str) -> (String, Vec<(usize, String)>) {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut literals = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => find(bytes, at, b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => end_of_block_comment(bytes, at),
            b'r' | b'b' | b'c' if !is_word_before(bytes, at) && raw_start(bytes, at).is_some() => {
                let (open, hashes) = raw_start(bytes, at).unwrap_or((at, 0));
                let close = format!("\"{}", "#".repeat(hashes));
                let inside = open + 1;
                let end = find(bytes, inside, close.as_bytes());
                literals.push((inside, text[inside..end].to_owned()));
                blank(&mut code, inside, end);
                at = (end + close.len()).min(bytes.len());
                continue;
            }
            b'"' => {
                let inside = at + 1;
                let end = end_of_string(bytes, inside);
                literals.push((inside, text[inside..end].to_owned()));
                blank(&mut code, inside, end);
                at = end + 1;
                continue;
            }
            b'\'' => {
                let end = end_of_character(bytes, at);
                blank(&mut code, at + 1, end.saturating_sub(1).max(at + 1));
                at = end;
                continue;
            }
            _ => {
                at += 1;
                continue;
            }
        };
        blank(&mut code, at, end);
        at = end;
    }
    (String::from_utf8_lossy(&code).into_owned(), literals)
}

fn is_word_before(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

/// `r"`, `r#"`, `br##"`..: the offset of the quote and the number of hashes.
fn raw_start(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut next = at;
    if matches!(bytes[next], b'b' | b'c') {
        next += 1;
    }
    if bytes.get(next) != Some(&b'r') {
        return None;
    }
    next += 1;
    let hashes = bytes[next..].iter().take_while(|&&byte| byte == b'#').count();
    (bytes.get(next + hashes) == Some(&b'"')).then_some((next + hashes, hashes))
}

fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    bytes[from..].windows(what.len()).position(|window| window == what).map_or(bytes.len(), |found| from + found)
}

fn end_of_block_comment(bytes: &[u8], from: usize) -> usize {
    let (mut depth, mut at) = (0usize, from);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// After a quote: a character literal's end, or, for a lifetime, the offset after its quote.
fn end_of_character(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        return find(bytes, at + 3, b"'") + 1;
    }
    let close = bytes[at + 1..].iter().take(5).position(|&byte| byte == b'\'');
    match close {
        Some(length) if length == 1 || (length > 1 && bytes[at + 1] >= 0x80) => at + length + 2,
        _ => at + 1,
    }
}

fn blank(code: &mut [u8], from: usize, to: usize) {
    for byte in &mut code[from..to] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// The bodies that `#[cfg(test)]` and `#[test]` announce.
fn test_ranges(code: &str) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    for mark in ["#[cfg(test)]", "#[cfg(any(test", "#[test]", "#[tokio::test", "#[actix_web::test"] {
        for (at, _) in code.match_indices(mark) {
            if let Some((_, end)) = body_after(code, at + mark.len()) {
                ranges.push(at..end);
            }
        }
    }
    ranges
}

/// The first braces after an offset, with no `;` before them: the offsets of `{` and of what follows its `}`.
pub fn body_after(code: &str, from: usize) -> Option<(usize, usize)> {
    let (mut nesting, mut open) = (0i32, None);
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => nesting += 1,
            b')' | b']' => nesting -= 1,
            b';' if nesting == 0 => return None,
            b'{' if nesting == 0 => {
                open = Some(at);
                break;
            }
            _ => {}
        }
    }
    let open = open?;
    let mut depth = 0i32;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((open, at + 1));
        }
    }
    None
}

/// The project's folder.
pub fn project() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the tests lie in a folder of the project").to_path_buf()
}

const FOREIGN: [&str; 7] = ["target", ".git", ".local", "node_modules", "vendor", "screenshots", "snapshots"];
const TEXTS: [&str; 14] =
    ["rs", "toml", "sql", "html", "txt", "css", "js", "mjs", "ts", "sh", "md", "xml", "typ", "json"];

/// Every text file that belongs to the project, lock files and what git ignores left out.
pub fn all() -> Vec<Source> {
    let root = project();
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the project's folders can be listed").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir() {
                if !FOREIGN.contains(&name.as_str()) {
                    folders.push(path);
                }
                continue;
            }
            let extension = path.extension().map(|e| e.to_string_lossy().into_owned());
            let is_text = extension.map_or(name != "LICENSE", |extension| TEXTS.contains(&extension.as_str()));
            if !is_text || name.ends_with("-lock.json") {
                continue;
            }
            // A file that is being replaced at this moment is somebody else's next version, not a finding.
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            let below = path.strip_prefix(&root).expect("the walk stays inside the project");
            sources.push(Source::new(&below.to_string_lossy(), &text));
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}
