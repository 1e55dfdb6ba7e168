//! Tables as files: cells quoted, nothing that a spreadsheet would run, row by row as they are read.

use crate::error::PageError;
use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};

/// One row. A cell that a spreadsheet would take for a formula is text: an apostrophe stands before it.
pub fn row<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = String::new();
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        line.push('"');
        // A figure may begin with its sign.
        let is_figure = cell.parse::<money::Decimal>().is_ok();
        if !is_figure && cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            line.push('\'');
        }
        line.push_str(&cell.replace('"', "\"\""));
        line.push('"');
    }
    line.push_str("\r\n");
    line
}

/// A file whose pages are read while it is sent: each a text of rows.
pub fn answer(name: &str, pages: impl Stream<Item = Result<String, PageError>> + 'static) -> HttpResponse {
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("content-disposition", format!("attachment; filename=\"{name}.csv\"")))
        .insert_header(("cache-control", "private, no-store"))
        // What has been sent cannot be taken back: a fault ends the file short, and the reader's program says so.
        .streaming(pages.map(|page| page.map(Bytes::from).map_err(|error| std::io::Error::other(error.to_string()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_and_never_a_formula() {
        assert_eq!(row(["a", "say \"b\"", "x,y"]), "\"a\",\"say \"\"b\"\"\",\"x,y\"\r\n");
        assert_eq!(
            row(["=1+1", "-12.50", "@x", "-x", "+49301"]),
            "\"'=1+1\",\"-12.50\",\"'@x\",\"'-x\",\"+49301\"\r\n"
        );
    }
}
