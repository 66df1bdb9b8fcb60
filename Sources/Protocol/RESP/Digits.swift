/// Eight characters at a time, each in a byte of a word, the first on top.
enum Digits {
    /// `byte` in each of the eight.
    @inline(__always)
    private static func each(_ byte: UInt64) -> UInt64 { byte &* 0x0101_0101_0101_0101 }

    /// The number that eight hexadecimal digits are, either case; `nil`: they are not all digits.
    @inline(__always)
    static func hexadecimal(_ text: UInt64) -> UInt64? {
        let lower = text | (text & each(0x40)) >> 1
        // The low half of a letter says one to six.
        let values = (lower & each(0x0F)) &+ ((lower >> 6) & each(1)) &* 9
        // Whatever else there is does not come out as it went in.
        let letters = ((values &+ each(6)) >> 4) & each(1)
        guard values & each(0xF0) == 0, values &+ each(0x30) &+ (letters &* 0x27) == lower else { return nil }
        var digits = values
        digits = (digits | digits >> 4) & 0x00FF_00FF_00FF_00FF
        digits = (digits | digits >> 8) & 0x0000_FFFF_0000_FFFF
        return (digits | digits >> 16) & 0xFFFF_FFFF
    }

    /// ASCII letters in upper case, all else as it is.
    @inline(__always)
    static func upperCased(_ text: UInt64) -> UInt64 {
        let seven = text & each(0x7F)
        let (fromA, pastZ) = (seven &+ each(0x1F), seven &+ each(0x05))
        return text ^ ((fromA ^ pastZ) & ~text & each(0x80)) >> 2
    }

    /// Whether any of the first `count` characters is a zero byte.
    @inline(__always)
    static func hasZero(_ text: UInt64, first count: Int) -> Bool {
        let text = count < 8 ? text | .max &>> UInt64(count &* 8) : text
        return (text &- each(1)) & ~text & each(0x80) != 0
    }
}

extension Span<UInt8> {
    /// Eight bytes from `start` on, the first on top.
    @inline(__always)
    func word(_ start: Int) -> UInt64 {
        unsafe UInt64(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self))
    }

    /// Four of them.
    @inline(__always)
    func half(_ start: Int) -> UInt64 {
        unsafe UInt64(UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt32.self)))
    }

    /// At most eight bytes, zeros behind.
    @inline(__always)
    func word(_ start: Int, count: Int) -> UInt64 {
        guard count > 0 else { return 0 }
        guard count < 8 else { return word(start) }
        if start + 8 <= self.count { return word(start) & ~(.max &>> UInt64(count &* 8)) }
        var word: UInt64 = 0
        for position in 0..<count { word |= UInt64(self[start + position]) &<< UInt64(56 &- position &* 8) }
        return word
    }
}
