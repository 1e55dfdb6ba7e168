//! The files of `static/`, inside the binary, under an address that changes when any of them does.
//! `/assets/{print}/{path}` may be kept for ever by a browser; an old print is answered, but not kept.

use std::sync::OnceLock;

use actix_web::{HttpResponse, http::header, web};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// The stylesheet is kept in parts for those who read it and sent as one for those who load it.
const STYLE_PARTS: [&str; 6] = [
    "css/1-tokens.css",
    "css/2-frame.css",
    "css/3-parts.css",
    "css/4-figures.css",
    "css/5-pages.css",
    "css/6-narrow.css",
];

fn style() -> &'static [u8] {
    static STYLE: OnceLock<Vec<u8>> = OnceLock::new();
    STYLE.get_or_init(|| {
        STYLE_PARTS.iter().filter_map(|part| Files::get(part)).flat_map(|file| file.data.into_owned()).collect()
    })
}

/// Sixteen hex digits over every embedded file, in name order.
pub fn fingerprint() -> &'static str {
    static PRINT: OnceLock<String> = OnceLock::new();
    PRINT.get_or_init(|| {
        let mut names: Vec<_> = Files::iter().collect();
        names.sort();
        let mut sum = Sha256::new();
        for name in names {
            if let Some(file) = Files::get(&name) {
                sum.update(name.as_bytes());
                sum.update(file.metadata.sha256_hash());
            }
        }
        hex::encode(&sum.finalize()[..8])
    })
}

/// The address of one file: `href("app.css")` is `/assets/3f…/app.css`.
pub fn href(path: &str) -> String {
    format!("/assets/{}/{path}", fingerprint())
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

/// `GET /assets/{print}/{path}`
pub async fn show(path: web::Path<(String, String)>) -> HttpResponse {
    let (print, path) = path.into_inner();
    let body = if path == "app.css" {
        web::Bytes::from_static(style())
    } else {
        match Files::get(&path) {
            Some(file) => web::Bytes::from(file.data.into_owned()),
            None => return HttpResponse::NotFound().finish(),
        }
    };
    let keep = if print == fingerprint() { "public, max-age=31536000, immutable" } else { "no-cache" };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, kind(&path)))
        .insert_header((header::CACHE_CONTROL, keep))
        .body(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stylesheet_is_its_parts_in_order() {
        let text = std::str::from_utf8(style()).expect("our own stylesheet is UTF-8");
        let tokens = text.find("--brand-accent:").expect("the tokens come first");
        let print = text.find("@media print").expect("the print rules come last");
        assert!(tokens < print);
        assert_eq!(STYLE_PARTS.iter().filter(|part| Files::get(part).is_some()).count(), STYLE_PARTS.len());
    }

    #[test]
    fn every_icon_that_a_page_names_is_in_the_sprite() {
        let sprite = String::from_utf8(Files::get("icons.svg").expect("the sprite is embedded").data.into_owned())
            .expect("the sprite is UTF-8");
        for name in crate::views::ui::ICONS {
            assert!(sprite.contains(&format!("id=\"{name}\"")), "{name} is missing in icons.svg");
        }
    }
}
