//! Rows in PostgreSQL's binary COPY format: a header, then for each row the number of its fields and each field with its
//! length before it, all in network order.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

/// Microseconds from 1970 to 2000, where PostgreSQL's clock begins.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

pub struct Copy {
    bytes: Vec<u8>,
}

impl Copy {
    pub fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(bytes + 32);
        buffer.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        buffer.extend_from_slice(&[0; 8]);
        Self { bytes: buffer }
    }

    /// Begins a row of so many fields.
    pub fn row(&mut self, fields: i16) -> &mut Self {
        self.bytes.extend_from_slice(&fields.to_be_bytes());
        self
    }

    fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        self.bytes.extend_from_slice(bytes);
        self
    }

    pub fn null(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(&(-1i32).to_be_bytes());
        self
    }

    pub fn uuid(&mut self, value: Uuid) -> &mut Self {
        self.field(value.as_bytes())
    }

    pub fn optional_uuid(&mut self, value: Option<Uuid>) -> &mut Self {
        match value {
            Some(value) => self.uuid(value),
            None => self.null(),
        }
    }

    pub fn text(&mut self, value: &str) -> &mut Self {
        self.field(value.as_bytes())
    }

    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.field(value)
    }

    pub fn int4(&mut self, value: i32) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub fn int8(&mut self, value: i64) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.field(&[u8::from(value)])
    }

    pub fn at(&mut self, value: DateTime<Utc>) -> &mut Self {
        self.field(&(value.timestamp_micros() - EPOCH_MICROS).to_be_bytes())
    }

    /// `jsonb`: a version, then the text.
    pub fn json(&mut self, text: &str) -> &mut Self {
        self.bytes.extend_from_slice(&(text.len() as i32 + 1).to_be_bytes());
        self.bytes.push(1);
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    /// `numeric`: digits of base 10,000, the weight of the first, sign and displayed scale.
    pub fn numeric(&mut self, value: Decimal) -> &mut Self {
        let scale = value.scale();
        let padding = (4 - scale % 4) % 4;
        // 96 bits of mantissa and three more decimal digits stay below 2^128.
        let mut rest = value.mantissa().unsigned_abs() * 10u128.pow(padding);
        let digits_after_point = (scale + padding) / 4;
        let mut digits: Vec<i16> = Vec::with_capacity(8);
        while rest > 0 {
            digits.push((rest % 10_000) as i16);
            rest /= 10_000;
        }
        let weight = if digits.is_empty() { 0 } else { digits.len() as i16 - digits_after_point as i16 - 1 };
        digits.reverse();
        while digits.last() == Some(&0) {
            digits.pop();
        }
        let sign: u16 = if value.is_sign_negative() && !value.is_zero() { 0x4000 } else { 0 };
        self.bytes.extend_from_slice(&(8 + 2 * digits.len() as i32).to_be_bytes());
        self.bytes.extend_from_slice(&(digits.len() as i16).to_be_bytes());
        self.bytes.extend_from_slice(&weight.to_be_bytes());
        self.bytes.extend_from_slice(&sign.to_be_bytes());
        self.bytes.extend_from_slice(&(scale as i16).to_be_bytes());
        for digit in digits {
            self.bytes.extend_from_slice(&digit.to_be_bytes());
        }
        self
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&(-1i16).to_be_bytes());
        self.bytes
    }
}
