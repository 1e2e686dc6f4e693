//! Which build this program is.

use std::fs::File;
use std::io::Read;
use std::sync::OnceLock;

use xxhash_rust::xxh3::Xxh3;

/// Names the executable that runs by its content: 32 hexadecimal digits, the same on every node
/// that runs a copy of it, also when the file has been replaced since.
///
/// # Errors
/// Where the system does not let the executable be read.
pub fn build_identity() -> std::io::Result<&'static str> {
    static IDENTITY: OnceLock<String> = OnceLock::new();
    if let Some(identity) = IDENTITY.get() {
        return Ok(identity);
    }
    // Linux keeps the file that was started under this name; elsewhere its path must do.
    let own = File::open("/proc/self/exe").or_else(|_| File::open(std::env::current_exe()?));
    let (mut file, mut hash) = (own?, Xxh3::new());
    let mut block = vec![0; 1 << 20];
    loop {
        match file.read(&mut block)? {
            0 => break,
            count => hash.update(&block[..count]),
        }
    }
    Ok(IDENTITY.get_or_init(|| format!("{:032x}", hash.digest128())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_the_content_of_the_program() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let expected = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes));
        assert_eq!(build_identity().unwrap(), expected);
    }
}
