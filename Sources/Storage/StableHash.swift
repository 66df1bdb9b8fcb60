/// A 64-bit hash of integers that is the same in every process: for ids' check bits. Not a checksum, not a secret.
public enum StableHash {
    /// Mixes two words (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
    public static func mix(_ value: UInt64, _ key: UInt64) -> UInt64 {
        var z = (value ^ key) &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z = (z ^ (z >> 31)) &+ (key << 32 | key >> 32)
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        return z ^ (z >> 31)
    }

    /// Hashes bytes, eight at a time.
    public static func hash(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
        bytes.withUnsafeBytes { raw in
            var state = mix(seed, UInt64(raw.count))
            var offset = 0
            while raw.count - offset >= 8 {
                state = mix(raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian, state)
                offset += 8
            }
            var tail: UInt64 = 0
            for position in offset..<raw.count { tail = tail << 8 | UInt64(raw[position]) }
            return mix(tail, state)
        }
    }
}
