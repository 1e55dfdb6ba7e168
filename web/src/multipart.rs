//! A form that carries a file (RFC 7578), taken apart into names and texts. The whole body is in memory: its size was limited
//! before.

/// A part: its field, the file's name where it is a file, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub file_name: Option<String>,
    pub text: String,
}

/// The parts of a body; `None` when it is no form, or not text in UTF-8.
pub fn parts(content_type: &str, body: &[u8]) -> Option<Vec<Part>> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = rest.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?.trim_matches('"');
    if boundary.is_empty() || boundary.len() > 70 {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    let delimiter = format!("--{boundary}");
    let mut pieces = text.split(delimiter.as_str());
    pieces.next()?;
    let mut parts = Vec::new();
    for piece in pieces {
        if piece.starts_with("--") {
            return Some(parts);
        }
        let (head, content) = piece.strip_prefix("\r\n")?.split_once("\r\n\r\n")?;
        let content = content.strip_suffix("\r\n")?;
        let disposition = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
        parts.push(Part {
            name: parameter(disposition, "name")?,
            file_name: parameter(disposition, "filename"),
            text: content.to_owned(),
        });
    }
    // It ends without its end: not all of it came.
    None
}

fn parameter(header: &str, name: &str) -> Option<String> {
    let start = format!("{name}=\"");
    let value = header.split(';').find_map(|part| part.trim().strip_prefix(&start))?;
    Some(value.strip_suffix('"')?.replace("%22", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=----x7";

    #[test]
    fn a_form_with_a_file_is_taken_apart() {
        let body = "------x7\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabc\r\n------x7\r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"rates.csv\"\r\nContent-Type: text/csv\r\n\r\n49,0.02\r\n44,0.03\r\n\r\n------x7--\r\n";
        let parts = parts(KIND, body.as_bytes()).unwrap();
        let said: Vec<_> =
            parts.iter().map(|part| (part.name.as_str(), part.file_name.as_deref(), part.text.as_str())).collect();
        assert_eq!(said, [("csrf", None, "abc"), ("file", Some("rates.csv"), "49,0.02\r\n44,0.03\r\n")]);
    }

    #[test]
    fn what_is_no_whole_form_is_none() {
        let cut = "------x7\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabc\r\n";
        for (kind, body) in [
            (KIND, cut.as_bytes()),
            (KIND, b""),
            (KIND, b"------x7\r\nname\r\n------x7--"),
            (KIND, b"\xff\xfe"),
            ("text/plain", b"------x7--"),
            ("multipart/form-data", b"------x7--"),
        ] {
            assert_eq!(parts(kind, body), None, "{kind} {}", String::from_utf8_lossy(body));
        }
    }
}
