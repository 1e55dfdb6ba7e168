//! Any bytes as a session description, as the body of an INFO, as a datagram of RTP and of SRTP: what is read can be
//! answered, and nothing panics.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| sip_media::fuzzing::read_body(bytes));
