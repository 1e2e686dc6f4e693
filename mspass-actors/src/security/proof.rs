//! Keyed hashes over lists of parts, and random bytes.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Thirty-two bytes that nobody else can make.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// HMAC-SHA256 of the parts, each with its length before it, so that no two lists agree.
pub(super) fn keyed(key: &[u8], parts: &[&[u8]]) -> Key {
    // HMAC takes keys of every length; the error exists for other algorithms.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Zeroizing::new([0; 32]);
    };
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// Compares in the same time wherever they differ.
pub(super) fn equal(a: &[u8], b: &[u8]) -> bool {
    bool::from(a.ct_eq(b))
}

/// Random bytes of the operating system.
pub(super) fn random() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}
