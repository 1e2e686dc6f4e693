//! The fixed part of every frame.

/// Bytes of a header.
pub const HEADER_BYTES: usize = 36;

/// Why bytes that were received are refused; the connection ends with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The header's checksum is wrong.
    #[error("a frame's header is damaged")]
    Checksum,
    /// A kind that this program does not know.
    #[error("a frame is of the unknown kind {0}")]
    Kind(u8),
    /// A frame claims more than may be sent.
    #[error("a frame claims {claimed} bytes where at most {most} are taken")]
    TooLong {
        /// Bytes claimed.
        claimed: u64,
        /// Bytes allowed.
        most: u64,
    },
    /// A frame came that does not fit what came before.
    #[error("a frame is out of place: {0}")]
    Misplaced(&'static str),
    /// The other end sent more than it was allowed to.
    #[error("more was sent than {0} allowed")]
    Credit(&'static str),
    /// The other end asks for answers and does not take them.
    #[error("too many answers gathered, because the other end does not read")]
    Unread,
    /// A frame's body cannot be read.
    #[error("the body of a frame cannot be read")]
    Body,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A message that wants no reply.
    Tell = 1,
    /// A message that wants one.
    Ask = 2,
    /// The reply.
    Reply = 3,
    /// Why there is no reply.
    Fail = 4,
    /// A piece of the blobs of the message before.
    Chunk = 5,
    /// Names a target, and asks for credit.
    Open = 16,
    /// Says whether the target is there.
    Opened = 17,
    /// Messages that a target has had room for since it was opened, in all.
    Credit = 18,
    /// Bytes that may have been sent on this lane, in all.
    Window = 19,
    /// Are you there?
    Ping = 20,
    /// Here I am.
    Pong = 21,
    /// A target's actor has ended.
    Gone = 22,
    /// The blobs under way are not wanted.
    Refuse = 23,
    /// The connection ends, and why.
    GoAway = 24,
    /// The dialer takes the connection into use.
    Start = 25,
    /// So does the listener.
    Started = 26,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        use Kind::*;
        Some(match byte {
            1 => Tell,
            2 => Ask,
            3 => Reply,
            4 => Fail,
            5 => Chunk,
            16 => Open,
            17 => Opened,
            18 => Credit,
            19 => Window,
            20 => Ping,
            21 => Pong,
            22 => Gone,
            23 => Refuse,
            24 => GoAway,
            25 => Start,
            26 => Started,
            _ => return None,
        })
    }

    /// Whether its bytes are counted by the window and its place by the sequence; the others are
    /// small, go first, and may come twice.
    pub fn is_counted(self) -> bool {
        (self as u8) < Self::Open as u8
    }
}

/// The fixed part of a frame; little-endian:
/// `length u32 | kind u8 | flags u8 | blobs u16 | target u32 | ask u32 | id u64 | sequence u32 |
/// deadline u32 | crc32c u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the body.
    pub length: u32,
    /// What it is.
    pub kind: Kind,
    /// Bits whose meaning the kind gives.
    pub flags: u8,
    /// Blobs of the message.
    pub blobs: u16,
    /// The target it is for, as the sender numbered them.
    pub target: u32,
    /// Counts asks: a late reply does not meet another ask with the same id.
    pub ask: u32,
    /// Of asks and replies what joins them; of others a number.
    pub id: u64,
    /// Counts the counted frames of a lane.
    pub sequence: u32,
    /// Of an ask the milliseconds that are left.
    pub deadline: u32,
}

impl Header {
    /// A header with nothing but its kind.
    pub fn new(kind: Kind) -> Self {
        Self {
            length: 0,
            kind,
            flags: 0,
            blobs: 0,
            target: 0,
            ask: 0,
            id: 0,
            sequence: 0,
            deadline: 0,
        }
    }

    /// As sent.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4] = self.kind as u8;
        bytes[5] = self.flags;
        bytes[6..8].copy_from_slice(&self.blobs.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.target.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.ask.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.id.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.deadline.to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..32]);
        bytes[32..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// Reads a header; its length is for the caller to judge before anything is allocated.
    ///
    /// # Errors
    /// [`Malformed`] for what no peer sends.
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, Malformed> {
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if crc32c::crc32c(&bytes[..32]) != u32_at(32) {
            return Err(Malformed::Checksum);
        }
        Ok(Self {
            length: u32_at(0),
            kind: Kind::of(bytes[4]).ok_or(Malformed::Kind(bytes[4]))?,
            flags: bytes[5],
            blobs: u16::from_le_bytes([bytes[6], bytes[7]]),
            target: u32_at(8),
            ask: u32_at(12),
            id: u64::from(u32_at(16)) | u64::from(u32_at(20)) << 32,
            sequence: u32_at(24),
            deadline: u32_at(28),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn headers_survive_and_damage_is_found(
            length: u32, kind in 1u8..27, flags: u8, blobs: u16, target: u32, ask: u32, id: u64,
            sequence: u32, deadline: u32, at in 0usize..HEADER_BYTES, bit in 0u8..8,
        ) {
            let Some(kind) = Kind::of(kind) else { return Ok(()) };
            let header =
                Header { length, kind, flags, blobs, target, ask, id, sequence, deadline };
            let mut bytes = header.encode();
            prop_assert_eq!(Header::decode(&bytes), Ok(header));
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(Header::decode(&bytes), Err(Malformed::Checksum));
        }
    }
}
