//! The typesetter: fonts, templates and the standard library, loaded once. Everything is compiled into the binary; nothing is
//! read from disk or network, and no font of the machine is used, so a document looks the same everywhere.

use super::qr::qr_svg;
use super::{Brand, Paper, PaperKind, PrintError, Printed, Renderer, Report};
use chrono::{Datelike, NaiveDate};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration, Smart};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

const TEMPLATES: [(&str, &str); 8] = [
    ("/invoice.typ", include_str!("../../templates/invoice.typ")),
    ("/credit-note.typ", include_str!("../../templates/credit-note.typ")),
    ("/settlement.typ", include_str!("../../templates/settlement.typ")),
    ("/quote.typ", include_str!("../../templates/quote.typ")),
    ("/report.typ", include_str!("../../templates/report.typ")),
    ("/parts.typ", include_str!("../../templates/parts.typ")),
    ("/locale.typ", include_str!("../../templates/locale.typ")),
    ("/brand.typ", include_str!("../../templates/brand.typ")),
];

const FONTS: [&[u8]; 6] = [
    include_bytes!("../../fonts/IBMPlexSans-Medium.ttf"),
    include_bytes!("../../fonts/IBMPlexSans-Regular.ttf"),
    include_bytes!("../../fonts/IBMPlexSans-SemiBold.ttf"),
    include_bytes!("../../fonts/IBMPlexSansArabic-Regular.ttf"),
    include_bytes!("../../fonts/IBMPlexSansCondensed-Medium.ttf"),
    include_bytes!("../../fonts/IBMPlexSansCondensed-Regular.ttf"),
];

/// Layout results that were not used by the last few documents are forgotten.
const CACHE_AGE_MAX: usize = 4;

/// The renderer of the product.
pub struct TypstRenderer {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    sources: HashMap<FileId, Source>,
}

/// The one renderer of this process; loaded at the first call (some milliseconds).
pub fn typst_renderer() -> &'static TypstRenderer {
    static RENDERER: OnceLock<TypstRenderer> = OnceLock::new();
    RENDERER.get_or_init(TypstRenderer::load)
}

impl TypstRenderer {
    fn load() -> Self {
        let fonts: Vec<Font> = FONTS.iter().flat_map(|font| Font::iter(Bytes::new(*font))).collect();
        let sources =
            TEMPLATES.iter().map(|(path, text)| (file_id(path), Source::new(file_id(path), (*text).to_owned())));
        Self {
            library: LazyHash::new(Library::default()),
            book: LazyHash::new(FontBook::from_fonts(&fonts)),
            sources: sources.collect(),
            fonts,
        }
    }

    /// Sets a report: it has no sums that must agree.
    pub fn render_report(&self, report: &Report) -> Result<Printed, PrintError> {
        let mut data = serde_json::to_value(report).map_err(|error| PrintError::Typesetting(error.to_string()))?;
        let mut replaced = BTreeSet::new();
        self.replace_missing(&mut data, &mut replaced);
        let bytes = self.set_branded("report", data, &report.brand, report.issued)?;
        Ok(Printed { bytes, replaced })
    }

    /// Sets pages with the brand's logo, where there is one, dated with a day.
    fn set_branded(
        &self,
        template: &str,
        mut data: Value,
        brand: &Brand,
        day: NaiveDate,
    ) -> Result<Vec<u8>, PrintError> {
        let logo = brand.logo.as_deref().zip(brand.logo_svg.as_deref());
        if logo.is_none() {
            data["brand"].as_object_mut().map(|brand| brand.remove("logo"));
        }
        let issued = u8::try_from(day.month()).ok().zip(u8::try_from(day.day()).ok());
        let issued =
            issued.and_then(|(month, day_of_month)| Datetime::from_ymd_hms(day.year(), month, day_of_month, 0, 0, 0));
        let issued = issued.ok_or_else(|| PrintError::Typesetting(format!("{day} is outside the calendar")))?;
        self.set_pages(template, &data, logo, issued)
    }

    /// Sets the pages of data that has been checked already.
    fn set_pages(
        &self,
        template: &str,
        data: &Value,
        logo: Option<(&str, &str)>,
        issued: Datetime,
    ) -> Result<Vec<u8>, PrintError> {
        let json = serde_json::to_vec(data).map_err(|error| PrintError::Typesetting(error.to_string()))?;
        let mut files = HashMap::from([(file_id("/data.json"), Bytes::new(json))]);
        if let Some((path, svg)) = logo {
            files.insert(file_id(&format!("/{path}")), Bytes::new(svg.as_bytes().to_vec()));
        }
        let page = Page { renderer: self, main: file_id(&format!("/{template}.typ")), files, issued };
        let document: PagedDocument = typst::compile(&page).output.map_err(|faults| typesetting(&faults))?;
        let options = PdfOptions {
            ident: Smart::Custom(data["number"].as_str().unwrap_or_default().into()),
            timestamp: Some(Timestamp::new_utc(issued)),
            standards: PdfStandards::new(&[PdfStandard::A_3b])
                .map_err(|error| PrintError::Typesetting(format!("{error:?}")))?,
            ..Default::default()
        };
        let bytes = typst_pdf::pdf(&document, &options).map_err(|faults| typesetting(&faults));
        comemo::evict(CACHE_AGE_MAX);
        bytes
    }

    /// PDF/A forbids a character without a glyph, so that one emoji in a customer's name would stop an invoice run: such
    /// characters become question marks, and the caller learns which.
    fn replace_missing(&self, value: &mut Value, replaced: &mut BTreeSet<char>) {
        match value {
            Value::String(text) if !text.is_ascii() || text.contains(|c: char| c.is_control() && c != '\n') => {
                *text = text.chars().filter_map(|c| self.printable(c, replaced)).collect();
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace_missing(value, replaced)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.replace_missing(value, replaced)),
            _ => {}
        }
    }

    fn printable(&self, c: char, replaced: &mut BTreeSet<char>) -> Option<char> {
        let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}');
        if (c.is_control() && c != '\n') || invisible {
            return None;
        }
        if c.is_ascii() || self.fonts.iter().any(|font| font.info().coverage.contains(c as u32)) {
            return Some(c);
        }
        replaced.insert(c);
        Some('?')
    }
}

impl Renderer for TypstRenderer {
    fn render(&self, paper: &Paper) -> Result<Printed, PrintError> {
        paper.must_sum()?;
        if let PaperKind::Quote(quote) = &paper.kind {
            quote.must_sum()?;
        }
        let mut data = serde_json::to_value(paper).map_err(|error| PrintError::Typesetting(error.to_string()))?;
        let mut replaced = BTreeSet::new();
        self.replace_missing(&mut data, &mut replaced);
        if let Some(qr) = paper.payment.as_ref().and_then(|payment| payment.qr.as_ref()) {
            // Of the text as given: a replaced character must not change who is paid.
            data["payment"]["qr"]["svg"] = qr_svg(&qr.text)?.into();
        }
        let bytes = self.set_branded(paper.template(), data, &paper.brand, paper.issued)?;
        Ok(Printed { bytes, replaced })
    }
}

/// What one compilation may see: the templates, and this document's own files.
struct Page<'a> {
    renderer: &'a TypstRenderer,
    main: FileId,
    files: HashMap<FileId, Bytes>,
    issued: Datetime,
}

impl World for Page<'_> {
    fn library(&self) -> &LazyHash<Library> {
        &self.renderer.library
    }
    fn book(&self) -> &LazyHash<FontBook> {
        &self.renderer.book
    }
    fn main(&self) -> FileId {
        self.main
    }
    fn source(&self, id: FileId) -> FileResult<Source> {
        self.renderer.sources.get(&id).cloned().ok_or(FileError::AccessDenied)
    }
    fn file(&self, id: FileId) -> FileResult<Bytes> {
        self.files.get(&id).cloned().ok_or(FileError::AccessDenied)
    }
    fn font(&self, index: usize) -> Option<Font> {
        self.renderer.fonts.get(index).cloned()
    }
    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        Some(self.issued)
    }
}

fn file_id(path: &str) -> FileId {
    let path = VirtualPath::new(path).expect("paths are written in this file or name a logo");
    RootedPath::new(VirtualRoot::Project, path).intern()
}

fn typesetting(faults: &[SourceDiagnostic]) -> PrintError {
    PrintError::Typesetting(faults.iter().map(|fault| fault.message.to_string()).collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The templates check the sums themselves, should anybody reach them past [`Paper::must_sum`].
    #[test]
    fn a_template_refuses_lines_that_do_not_sum() {
        let mut data: Value = serde_json::from_str(include_str!("../../tests/papers/credit-note-de.json")).unwrap();
        data["brand"].as_object_mut().unwrap().remove("logo");
        let issued = Datetime::from_ymd_hms(2026, 12, 4, 0, 0, 0).unwrap();
        assert!(typst_renderer().set_pages("credit-note", &data, None, issued).is_ok());
        data["groups"][0]["lines"][0]["amount"] = "98.01".into();
        let refusal = typst_renderer().set_pages("credit-note", &data, None, issued).unwrap_err().to_string();
        assert!(refusal.contains("lines do not sum to the net total"), "{refusal}");
    }

    #[test]
    fn a_character_without_a_glyph_is_replaced_and_told() {
        let mut value = serde_json::json!({ "name": "Łódź 川 Αθ\u{200b}ήνα 😀 سلام" });
        let mut replaced = BTreeSet::new();
        typst_renderer().replace_missing(&mut value, &mut replaced);
        assert_eq!(value["name"], "Łódź ? Αθήνα ? سلام");
        assert_eq!(replaced, BTreeSet::from(['川', '😀']));
    }
}
