//! A form with a file: its fields and the file's bytes, read to a limit while there is room.

use crate::app::App;
use crate::error::{PageError, PageResult};
use crate::security::is_control;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, web};
use futures_util::{Stream, StreamExt, stream};
use std::time::Duration;
use tokio::sync::mpsc;

/// Who sends nothing for so long is hung up on.
const PATIENCE: Duration = Duration::from_secs(30);
/// Fields beside the file, bytes each and how many.
const FIELD_MAX: usize = 16 * 1024;
const FIELDS_MAX: usize = 60;

/// What came.
#[derive(Debug, Default)]
pub struct Upload {
    fields: Vec<(String, String)>,
    pub file_name: String,
    pub bytes: Vec<u8>,
}

impl Upload {
    /// The value of a field, without blanks around it; nothing where none came.
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value.trim())
    }
}

/// Reads the form. The file is the part called `file`; it has at most so many bytes.
pub async fn read(app: &App, request: &HttpRequest, payload: web::Payload, bytes_max: usize) -> PageResult<Upload> {
    let Ok(_room) = app.uploads.try_acquire() else {
        return Err(PageError::TooMany { retry_after_seconds: 10 });
    };
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = content_type.and_then(|value| multer::parse_boundary(value).ok());
    let boundary = boundary.ok_or_else(|| PageError::Refused("Send the form with its file.".into()))?;
    // The request's body stays on its thread, and its reader may not: what arrives is handed over.
    let (arrived, mut arriving) = mpsc::channel(4);
    let chunks = stream::poll_fn(move |context| arriving.poll_recv(context));
    let ((), upload) = tokio::join!(hand_over(payload, arrived), parts(chunks, boundary, bytes_max));
    upload
}

async fn hand_over(mut payload: web::Payload, arrived: mpsc::Sender<std::io::Result<Bytes>>) {
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(std::io::Error::other);
        // Whoever reads has seen enough.
        if arrived.send(chunk).await.is_err() {
            return;
        }
    }
}

async fn parts(
    chunks: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    boundary: String,
    bytes_max: usize,
) -> PageResult<Upload> {
    let limit = multer::SizeLimit::new().whole_stream((bytes_max + FIELD_MAX * FIELDS_MAX) as u64);
    let limit = limit.per_field(FIELD_MAX as u64).for_field("file", bytes_max as u64);
    let limits = multer::Constraints::new().size_limit(limit);
    let mut parts = multer::Multipart::with_constraints(chunks, boundary, limits);
    let mut upload = Upload::default();
    while let Some(mut part) = in_time(parts.next_field()).await? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "file" {
            upload.file_name = plain_name(part.file_name().unwrap_or_default());
            while let Some(chunk) = in_time(part.chunk()).await? {
                upload.bytes.extend_from_slice(&chunk);
            }
        } else if upload.fields.len() < FIELDS_MAX {
            let value = in_time(part.text()).await?;
            if value.chars().any(is_control) {
                return Err(PageError::Refused(format!("The field {} holds a control character.", plain_name(&name))));
            }
            upload.fields.push((name, value));
        }
    }
    Ok(upload)
}

async fn in_time<T>(read: impl Future<Output = multer::Result<T>>) -> PageResult<T> {
    match tokio::time::timeout(PATIENCE, read).await {
        Err(_) => Err(PageError::Refused("The file did not arrive in time. Send it again.".into())),
        Ok(Err(multer::Error::FieldSizeExceeded { limit, .. } | multer::Error::StreamSizeExceeded { limit })) => {
            Err(PageError::Refused(format!("A file has at most {limit} bytes; packed as gzip it is smaller.")))
        }
        Ok(Err(error)) => Err(PageError::Refused(format!("The form did not arrive whole: {error}."))),
        Ok(Ok(value)) => Ok(value),
    }
}

/// The last part of what a browser calls the file, without what no name has.
fn plain_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|c| !c.is_control()).take(200).collect()
}
