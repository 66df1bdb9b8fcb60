/// Small pieces of a reply, one after the other, in room that was made sure of once: a hand-out has three dozen.
@safe public struct ReplyPieces: ~Copyable {
    private var place: UnsafeMutablePointer<UInt8>
    private let end: UnsafeMutablePointer<UInt8>

    @inline(__always)
    fileprivate init(_ room: UnsafeMutableBufferPointer<UInt8>, from used: Int) {
        unsafe place = room.baseAddress! + used
        unsafe end = room.baseAddress! + room.count
    }

    fileprivate var free: Int { unsafe end - place }

    /// Bytes that are already RESP.
    @inline(__always)
    public mutating func raw(_ encoded: StaticString) {
        let count = encoded.utf8CodeUnitCount
        precondition(count <= free, "more than there was said to come")
        unsafe place.update(from: encoded.utf8Start, count: count)
        unsafe place += count
    }

    public mutating func bulk(_ content: Bytes) {
        header(UInt8(ascii: "$"), Int64(content.count))
        precondition(content.count + 2 <= free, "more than there was said to come")
        unsafe content.withUnsafeBufferPointer {
            guard let source = $0.baseAddress else { return }
            unsafe place.update(from: source, count: content.count)
        }
        unsafe place += content.count
        raw("\r\n")
    }

    public mutating func bulk(_ id: TaskID) {
        precondition(TaskID.textLength + 7 <= free, "more than there was said to come")
        raw("$36\r\n")
        for position in 0..<32 {
            if position == 8 || position == 12 || position == 16 || position == 20 { put(UInt8(ascii: "-")) }
            let half = position < 16 ? id.high : id.low
            let digit = UInt8(truncatingIfNeeded: half &>> UInt64(60 &- (position & 15) &* 4) & 0xF)
            put(digit < 10 ? digit &+ UInt8(ascii: "0") : digit &+ (UInt8(ascii: "a") - 10))
        }
        raw("\r\n")
    }

    public mutating func integer(_ value: Int64) { header(UInt8(ascii: ":"), value) }

    /// A kind, a number and CRLF: at most 23 bytes.
    @inline(__always)
    private mutating func header(_ kind: UInt8, _ value: Int64) {
        precondition(free >= 23, "more than there was said to come")
        put(kind)
        if value < 0 { put(UInt8(ascii: "-")) }
        var rest = value.magnitude
        var count = 1
        var bound: UInt64 = 10
        while count < 19, rest >= bound { (count, bound) = (count &+ 1, bound &* 10) }
        if count == 19, rest >= bound { count = 20 }
        var digit = count
        while digit > 0 {
            digit &-= 1
            let (quotient, value) = rest.quotientAndRemainder(dividingBy: 10)
            unsafe place[digit] = UInt8(truncatingIfNeeded: value) &+ UInt8(ascii: "0")
            rest = quotient
        }
        unsafe place += count
        put(UInt8(ascii: "\r"))
        put(UInt8(ascii: "\n"))
    }

    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        unsafe place.pointee = byte
        unsafe place += 1
    }
}

extension ReplyWriter {
    /// Writes pieces of at most `most` bytes in all.
    @inline(__always)
    public mutating func pieces(atMost most: Int, _ write: (inout ReplyPieces) -> Void) {
        bytes.append(addingCapacity: most) { (text: inout OutputSpan<UInt8>) in
            unsafe text.withUnsafeMutableBufferPointer { room, used in
                var pieces = unsafe ReplyPieces(room, from: used)
                write(&pieces)
                used = room.count - pieces.free
            }
        }
    }
}
