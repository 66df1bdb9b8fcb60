import NIOCore

extension Request {
    /// A 64-bit hash of the arguments from `first` on but those in `omitted`, the same in every process and version.
    ///
    /// `seed` says which command it is. Every argument goes in with its length, so shifting bytes between two
    /// arguments changes the hash. It finds mistakes; it is no defence against an adversary. 8 bytes a step.
    public func fingerprint(seed: UInt64, from first: Int, omitting omitted: Range<Int>) -> UInt64 {
        let bytes = buffer.readableBytesUInt8Span
        var hash = Fingerprint(seed: seed)
        for index in first..<max(first, count) where !omitted.contains(index) {
            let range = ranges[index]
            hash.mix(UInt64(range.count))
            var position = Int(range.start)
            let end = position + Int(range.count)
            // Little-endian words; the last one with zeros behind.
            while end - position >= 8 {
                hash.mix(bytes.word(position).byteSwapped)
                position += 8
            }
            if position < end { hash.mix(bytes.word(position, count: end - position).byteSwapped) }
        }
        return hash.value
    }
}

/// The state of a fingerprint: each word is folded in by one widening multiplication.
struct Fingerprint {
    private var state: UInt64
    private var words: UInt64 = 0

    init(seed: UInt64) { state = seed ^ 0x9E37_79B9_7F4A_7C15 }

    @inline(__always)
    mutating func mix(_ word: UInt64) {
        words &+= 1
        let (high, low) = (word ^ state).multipliedFullWidth(by: 0xA076_1D64_78BD_642F)
        // The word goes in once more, so that a product of zero does not wipe out what came before.
        state = (high ^ low) &+ (state << 23 | state >> 41) &+ word
    }

    var value: UInt64 {
        let (high, low) = (state ^ words).multipliedFullWidth(by: 0xE703_7ED1_A0B4_28DB)
        return high ^ low
    }
}
