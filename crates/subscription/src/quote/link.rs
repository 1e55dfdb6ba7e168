//! The secret in a link: shown once when the link is made, kept as a hash, and naming its book so that it can be looked up.

use db::TenantId;
use rand::RngCore;
use sha2::{Digest, Sha256};

/// 256 bits: nobody guesses one.
const SECRET_BYTES: usize = 32;

/// A new token of this book, and the hash under which it is found again.
pub(super) fn new(tenant_id: TenantId) -> (String, Vec<u8>) {
    let mut secret = [0_u8; SECRET_BYTES];
    rand::rng().fill_bytes(&mut secret);
    let token = format!("{tenant_id}.{}", hex::encode(secret));
    let hash = hash(&token);
    (token, hash)
}

/// How a token is found.
pub(super) fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// In which book a token is to be looked up; nothing is proved by it.
pub fn tenant_of_token(token: &str) -> Option<TenantId> {
    token.split_once('.')?.0.parse().ok()
}
