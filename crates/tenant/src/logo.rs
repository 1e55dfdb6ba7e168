//! A logo is a drawing and nothing else: known elements, no scripts, no handlers, no reference to anything outside.

use crate::error::TenantError;

const BYTES_MAX: usize = 64 * 1024;
const ELEMENTS: [&str; 19] = [
    "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "defs", "lineargradient", "radialgradient", "stop", "text",
    "tspan", "title", "desc", "clippath", "mask",
];

/// Refuses whatever is not on the list; it does not repair.
pub(crate) fn check(svg: &str) -> Result<(), TenantError> {
    let refused = |why| Err(TenantError::LogoMustBePlain(why));
    let text = svg.trim();
    if text.len() > BYTES_MAX {
        return refused("it is larger than 64 KiB");
    }
    if !text.to_ascii_lowercase().starts_with("<svg") || !text.to_ascii_lowercase().ends_with("</svg>") {
        return refused("it must be one svg element");
    }
    if text.contains('&') {
        return refused("it holds an entity");
    }
    for tag in text.split('<').skip(1) {
        let Some((inside, outside)) = tag.split_once('>') else { return refused("a tag does not end") };
        // A second > would be one inside an attribute, where this reading and a browser's may differ.
        if outside.contains('>') {
            return refused("a > stands outside a tag");
        }
        check_tag(inside)?;
    }
    Ok(())
}

fn check_tag(inside: &str) -> Result<(), TenantError> {
    let lower = inside.to_ascii_lowercase();
    let body = lower.strip_prefix('/').unwrap_or(&lower);
    let name_end = body.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(body.len());
    let (name, attributes) = body.split_at(name_end);
    if !ELEMENTS.contains(&name) {
        return Err(TenantError::LogoMustBePlain("it holds an element that is no shape or text"));
    }
    let squeezed: String = attributes.chars().filter(|c| !c.is_whitespace()).collect();
    let names_a_handler = attributes
        .split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '/'))
        .any(|word| word.starts_with("on") && word[2..].trim_start().starts_with(|c: char| c.is_ascii_alphabetic()) && !word.contains(['-', '#', '(']));
    if names_a_handler && squeezed_has_handler(&squeezed) {
        return Err(TenantError::LogoMustBePlain("it holds an event handler"));
    }
    for (needle, why) in [
        ("href", "it refers to something"),
        ("javascript:", "it holds a script"),
        ("data:", "it holds embedded content"),
        ("style=", "it holds style rules; use attributes"),
        ("@import", "it refers to something"),
        ("\\", "it holds an escape"),
    ] {
        if squeezed.contains(needle) {
            return Err(TenantError::LogoMustBePlain(why));
        }
    }
    // url(#id) paints with a gradient of the drawing itself; any other target is outside.
    let every_target_is_inside = squeezed.match_indices("url(").all(|(at, _)| squeezed[at + 4..].starts_with('#'));
    if !every_target_is_inside {
        return Err(TenantError::LogoMustBePlain("it refers to something"));
    }
    Ok(())
}

/// An attribute whose name begins with `on`: after the start, a quote or a slash.
fn squeezed_has_handler(squeezed: &str) -> bool {
    squeezed.match_indices("on").any(|(at, _)| {
        let begins = at == 0 || matches!(squeezed.as_bytes()[at - 1], b'"' | b'\'' | b'/');
        let name_end = squeezed[at..].find(|c: char| !c.is_ascii_alphabetic()).map_or(squeezed.len(), |len| at + len);
        begins && squeezed[name_end..].starts_with('=')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_a_drawing_and_nothing_else() {
        let drawing = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><defs><linearGradient id="one"><stop offset="0" stop-color="#fff"/></linearGradient></defs><path d="M1 1h2" fill="url(#one)"/><text x="1">On call</text></svg>"##;
        assert!(check(drawing).is_ok());
        for hostile in [
            "<svg><script>alert(1)</script></svg>",
            "<svg onload=alert(1)></svg>",
            "<svg/onload=alert(1)></svg>",
            "<svg><path d=\"M1\"onclick=\"x()\"/></svg>",
            "<svg><path d='M1'\tonclick = 'x()'/></svg>",
            "<svg><foreignObject><p>x</p></foreignObject></svg>",
            "<svg><image href=\"https://evil.example/x.png\"/></svg>",
            "<svg><use xlink:href=\"#a\"/></svg>",
            "<svg><a href=\"javascript:x\"><path/></a></svg>",
            "<svg><rect fill=\"url(https://evil.example/)\"/></svg>",
            "<svg><rect style=\"fill:red\"/></svg>",
            "<svg><style>@import url(//evil)</style></svg>",
            "<!DOCTYPE svg [<!ENTITY x \"y\">]><svg>&x;</svg>",
            "<svg><set attributeName=\"onload\"/></svg>",
            "<p>not a drawing</p>",
            "<svg>",
        ] {
            assert!(check(hostile).is_err(), "{hostile}");
        }
    }
}
