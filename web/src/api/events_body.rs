//! The body of a request with events: let in while there is room, unpacked to a limit, cut into items.
//! Invariants: what arrives at once has a limit, for one organisation and for all; a small body cannot unpack into a large one.

use super::problem::{ApiResult, Problem};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web;
use db::TenantId;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

/// Largest body, as sent and as unpacked, bytes.
pub const BODY_MAX: usize = 8 * 1024 * 1024;
/// Bodies that may be arriving at once, bytes as announced.
const ARRIVING_MAX: usize = 64 * 1024 * 1024;
/// The same for one organisation.
const ARRIVING_OF_ONE_MAX: usize = 16 * 1024 * 1024;
/// Memory that a zstd frame may ask for, bytes; RFC 8878 has every decoder bear this much.
const ZSTD_WINDOW_MAX: u64 = 8 * 1024 * 1024;
/// What anybody is told to wait.
pub const RETRY_AFTER_SECONDS: i64 = 1;
/// Events of one request.
pub const EVENTS_MAX: usize = 1_000;

/// The bodies that are arriving.
#[derive(Default)]
pub struct Arrivals(Mutex<HashMap<TenantId, usize>>);

/// Room for one body, given back when dropped.
pub struct Room {
    arrivals: Arc<Arrivals>,
    tenant_id: TenantId,
    bytes: usize,
}

impl Arrivals {
    /// Room for the body that these headers announce; for as much as there may be where they announce nothing.
    pub fn room(self: &Arc<Self>, tenant_id: TenantId, headers: &HeaderMap) -> ApiResult<Room> {
        let announced = text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
        let bytes = announced.unwrap_or(BODY_MAX);
        if bytes > BODY_MAX {
            return Err(too_large());
        }
        let mut arriving = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if arriving.values().sum::<usize>() + bytes > ARRIVING_MAX {
            return Err(busy("too_busy", "Too many events arrive at once. Send these again."));
        }
        let own = arriving.entry(tenant_id).or_default();
        if *own + bytes > ARRIVING_OF_ONE_MAX {
            return Err(flood("More arrives from your organisation at once than can be taken. Send these again."));
        }
        *own += bytes;
        Ok(Room { arrivals: Arc::clone(self), tenant_id, bytes })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut arriving = self.arrivals.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = arriving.get_mut(&self.tenant_id) {
            *own -= self.bytes;
            if *own == 0 {
                arriving.remove(&self.tenant_id);
            }
        }
    }
}

/// 503: we are the ones who cannot.
pub fn busy(code: &'static str, detail: &str) -> Problem {
    Problem {
        retry_after_seconds: Some(RETRY_AFTER_SECONDS),
        ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
    }
}

/// 429: this organisation sends too much.
pub fn flood(detail: &str) -> Problem {
    Problem {
        retry_after_seconds: Some(RETRY_AFTER_SECONDS),
        ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_events", detail)
    }
}

fn too_large() -> Problem {
    let detail = format!("A body has at most {BODY_MAX} bytes, also when it is unpacked.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

/// The whole body, unpacked.
pub async fn read(headers: &HeaderMap, payload: web::Payload) -> ApiResult<web::Bytes> {
    let packed = super::door::whole(payload, BODY_MAX, too_large).await?;
    match text(headers, header::CONTENT_ENCODING).unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(packed),
        "gzip" => unpacked(flate2::bufread::MultiGzDecoder::new(&packed[..])),
        "zstd" => unpacked(Zstd { left: &packed, frame: None }),
        _ => {
            let detail = "The body may be packed by `gzip` or `zstd`, once.";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding_unknown", detail))
        }
    }
}

fn unpacked(packed: impl Read) -> ApiResult<web::Bytes> {
    let mut plain = Vec::new();
    let read = packed.take(BODY_MAX as u64 + 1).read_to_end(&mut plain);
    read.map_err(|_| Problem::bad("encoding_malformed", "The body is not packed as `Content-Encoding` says."))?;
    if plain.len() > BODY_MAX {
        return Err(too_large());
    }
    Ok(plain.into())
}

/// Frames of zstd, one behind the other.
struct Zstd<'a> {
    left: &'a [u8],
    frame: Option<ruzstd::decoding::StreamingDecoder<&'a [u8], ruzstd::decoding::FrameDecoder>>,
}

impl Read for Zstd<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                let count = frame.read(buffer)?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
                self.left = self.frame.take().map_or(&[], |frame| frame.into_inner());
            }
            if self.left.is_empty() {
                return Ok(0);
            }
            let mut decoder = ruzstd::decoding::FrameDecoder::new();
            decoder.set_max_window_size(ZSTD_WINDOW_MAX);
            let frame = ruzstd::decoding::StreamingDecoder::new_with_decoder(self.left, decoder);
            self.frame = Some(frame.map_err(std::io::Error::other)?);
        }
    }
}

/// How the events stand in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object.
    One,
    /// A JSON array.
    Array,
    /// A JSON object on each line.
    Lines,
}

/// The items of a body, each as text; an item that is no JSON at all is among them.
pub fn items<'a>(content_type: &str, body: &'a [u8]) -> ApiResult<(Form, Vec<Cow<'a, str>>)> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let begins_array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let (form, items) = match kind.as_str() {
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => (Form::Lines, lines(body)),
        "application/cloudevents+json" => (Form::One, vec![String::from_utf8_lossy(body)]),
        "application/cloudevents-batch+json" => (Form::Array, array(body)?),
        "application/json" if begins_array => (Form::Array, array(body)?),
        "application/json" => (Form::One, vec![String::from_utf8_lossy(body)]),
        _ => {
            let detail = "Send events as `application/json`, `application/x-ndjson`, `application/cloudevents+json` or \
                          `application/cloudevents-batch+json`.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "json_required", detail));
        }
    };
    if !(1..=EVENTS_MAX).contains(&items.len()) {
        let rule = format!("must hold 1 to {EVENTS_MAX} events");
        return Err(Problem::invalid("", "must_lie_between", rule).with_value(items.len().to_string()));
    }
    Ok((form, items))
}

/// Empty lines are nobody's.
fn lines(body: &[u8]) -> Vec<Cow<'_, str>> {
    let is_empty = |line: &&[u8]| line.iter().all(u8::is_ascii_whitespace);
    body.split(|byte| *byte == b'\n').filter(|line| !is_empty(line)).map(String::from_utf8_lossy).collect()
}

fn array(body: &[u8]) -> ApiResult<Vec<Cow<'_, str>>> {
    let items: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| super::body::malformed(&error))?;
    Ok(items.into_iter().map(|item| Cow::Borrowed(item.get())).collect())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn a_body_is_cut_into_its_items_whatever_its_form() {
        for (kind, body, form, expected) in [
            ("application/json", " [1, {\"a\":2}]", Form::Array, vec!["1", "{\"a\":2}"]),
            ("application/json; charset=utf-8", "{}", Form::One, vec!["{}"]),
            ("application/cloudevents-batch+json", "[3]", Form::Array, vec!["3"]),
            ("application/x-ndjson", "{}\r\n\n{\"a\":\nx", Form::Lines, vec!["{}\r", "{\"a\":", "x"]),
        ] {
            let (found, items) = items(kind, body.as_bytes()).unwrap();
            assert_eq!((found, items), (form, expected.into_iter().map(Cow::Borrowed).collect::<Vec<_>>()), "{body}");
        }
        assert_eq!(items("application/json", b"[1").unwrap_err().code, "json_malformed");
        assert_eq!(items("text/csv", b"a").unwrap_err().status.as_u16(), 415);
        assert_eq!(items("application/json", b"[]").unwrap_err().fields[0].code, "must_lie_between");
        let thousand_and_one = "{}\n".repeat(1_001);
        assert_eq!(items("application/x-ndjson", thousand_and_one.as_bytes()).unwrap_err().status.as_u16(), 422);
    }

    #[test]
    fn a_small_body_does_not_unpack_into_a_large_one() {
        use std::io::Write;
        for (size, is_taken) in [(BODY_MAX, true), (BODY_MAX + 1, false)] {
            let plain = vec![b' '; size];
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&plain).unwrap();
            let gzip = gzip.finish().unwrap();
            assert!(gzip.len() < 100_000);
            assert_eq!(unpacked(flate2::bufread::MultiGzDecoder::new(&gzip[..])).is_ok(), is_taken, "gzip {size}");
            let zstd = ruzstd::encoding::compress_to_vec(&plain[..], ruzstd::encoding::CompressionLevel::Fastest);
            assert!(zstd.len() < 100_000);
            assert_eq!(unpacked(Zstd { left: &zstd, frame: None }).is_ok(), is_taken, "zstd {size}");
        }
        let frame = ruzstd::encoding::compress_to_vec(&b"ab"[..], ruzstd::encoding::CompressionLevel::Fastest);
        let two_frames = [&frame[..], &frame[..]].concat();
        assert_eq!(unpacked(Zstd { left: &two_frames, frame: None }).unwrap(), "abab");
        for nonsense in [&b"not packed"[..], &two_frames[..frame.len() + 5]] {
            assert_eq!(unpacked(Zstd { left: nonsense, frame: None }).unwrap_err().code, "encoding_malformed");
        }
        // A frame of 13 bytes that asks for a window of 2 GiB.
        let greedy = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00];
        assert_eq!(unpacked(Zstd { left: &greedy, frame: None }).unwrap_err().code, "encoding_malformed");
    }

    #[test]
    fn what_arrives_at_once_has_a_limit_for_one_and_for_all() {
        let arrivals = Arc::new(Arrivals::default());
        let (noisy, mut headers) = (TenantId::new(), HeaderMap::new());
        let two: Vec<Room> = (0..2).map(|_| arrivals.room(noisy, &headers).unwrap()).collect();
        assert_eq!(arrivals.room(noisy, &headers).err().unwrap().status.as_u16(), 429); // 3 x 8 > 16 MiB
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("9000000"));
        assert_eq!(arrivals.room(TenantId::new(), &headers).err().unwrap().status.as_u16(), 413);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("8388608"));
        let others: Vec<Room> = (0..6).map(|_| arrivals.room(TenantId::new(), &headers).unwrap()).collect();
        assert_eq!(arrivals.room(TenantId::new(), &headers).err().unwrap().status.as_u16(), 503); // 9 x 8 > 64 MiB
        drop((two, others));
        assert!(arrivals.0.lock().unwrap().is_empty(), "room is given back");
        assert!(arrivals.room(noisy, &headers).is_ok());
    }
}
