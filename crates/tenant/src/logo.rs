//! A logo is a drawing and nothing else: known elements, no scripts, no handlers, no reference to anything outside.

use crate::error::TenantError;

const BYTES_MAX: usize = 64 * 1024;
const ELEMENTS: [&str; 19] = [
    "svg",
    "g",
    "path",
    "rect",
    "circle",
    "ellipse",
    "line",
    "polyline",
    "polygon",
    "defs",
    "lineargradient",
    "radialgradient",
    "stop",
    "text",
    "tspan",
    "title",
    "desc",
    "clippath",
    "mask",
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
    let body = inside.strip_prefix('/').unwrap_or(inside);
    let name_end = body.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(body.len());
    let (name, mut rest) = body.split_at(name_end);
    if !ELEMENTS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(TenantError::LogoMustBePlain("it holds an element that is no shape or text"));
    }
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return Ok(());
        }
        rest = check_attribute(rest)?;
    }
}

/// One attribute, written `name="value"` and in no other of the ways that browsers forgive; what follows it.
fn check_attribute(text: &str) -> Result<&str, TenantError> {
    let odd = || TenantError::LogoMustBePlain("an attribute is not written name=\"value\"");
    let (name, after) = text.split_once('=').ok_or_else(odd)?;
    let name = name.trim_end().to_ascii_lowercase();
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b':')) {
        return Err(odd());
    }
    let after = after.trim_start();
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\'')).ok_or_else(odd)?;
    let (value, rest) = after[1..].split_once(quote).ok_or_else(odd)?;
    if name.starts_with("on") {
        return Err(TenantError::LogoMustBePlain("it holds an event handler"));
    }
    if name == "style" {
        return Err(TenantError::LogoMustBePlain("it holds style rules; use attributes"));
    }
    if name.ends_with("href") || name == "src" {
        return Err(TenantError::LogoMustBePlain("it refers to something"));
    }
    let value: String = value.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
    // url(#id) paints with a gradient of the drawing itself; any other target is outside.
    let every_target_is_inside = value.match_indices("url(").all(|(at, _)| value[at + 4..].starts_with('#'));
    if !every_target_is_inside || ["javascript:", "data:", "\\", "@import"].iter().any(|needle| value.contains(needle))
    {
        return Err(TenantError::LogoMustBePlain("it refers to something"));
    }
    Ok(rest)
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
            "<svg><path d='M1' ONCLICK='x()'/></svg>",
            "<svg><path d=M1 onclick=x()/></svg>",
            "<svg><path fill=\"u rl(//evil)\" stroke=\"URL( 'x')\"/></svg>",
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
