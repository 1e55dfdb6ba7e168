//! Any bytes as a SIP request: everything that the edge reads of it, and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| sip_media::fuzzing::read_request(bytes));
