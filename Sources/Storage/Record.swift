import CChecksum
import Glibc

/// How a record is framed. All fields little-endian:
///
///     ┌─────────┬──────────────────────────────┬───────┐
///     │ version │ CRC-32C of key, version       │ body… │
///     │ 1 byte  │ and body, 4 bytes             │       │
///     └─────────┴──────────────────────────────┴───────┘
///
/// The key is part of the checksum, so a record that turns up under another key is damaged too.
enum RecordFrame {
    static let header = 5

    static func checksum(key: KeyBytes, version: UInt8, body: UnsafeRawBufferPointer) -> UInt32 {
        var version = version
        let sum = crc32c(key.withBytes { crc32c(0, $0.baseAddress, $0.count) }, &version, 1)
        return crc32c(sum, body.baseAddress, body.count)
    }
}

/// Puts a record's fields together in one buffer that is used again for the next record.
public struct RecordWriter: ~Copyable {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 4_096
        base = .allocate(byteCount: capacity, alignment: 8)
    }

    deinit { base.deallocate() }

    /// A whole record, valid until the next one. `body` writes the fields.
    mutating func fill(
        _ key: KeyBytes, _ version: UInt8, _ body: (inout RecordWriter) -> Void
    ) -> UnsafeRawBufferPointer {
        count = 0
        uint8(version)
        uint32(0)
        body(&self)
        let record = UnsafeRawBufferPointer(start: base, count: count)
        let fields = UnsafeRawBufferPointer(rebasing: record[RecordFrame.header...])
        let sum = RecordFrame.checksum(key: key, version: version, body: fields)
        base.storeBytes(of: sum.littleEndian, toByteOffset: 1, as: UInt32.self)
        return record
    }

    // A body of hundreds of megabytes is not kept for the next record.
    mutating func shrink() {
        guard capacity > 1 << 20 else { return }
        base.deallocate()
        capacity = 4_096
        base = .allocate(byteCount: capacity, alignment: 8)
        count = 0
    }

    private mutating func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        let larger = max(capacity * 2, count + more)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 8)
        moved.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = moved
        capacity = larger
    }

    private mutating func store<T: FixedWidthInteger>(_ value: T) {
        reserve(MemoryLayout<T>.size)
        base.storeBytes(of: value.littleEndian, toByteOffset: count, as: T.self)
        count += MemoryLayout<T>.size
    }

    public mutating func uint8(_ value: UInt8) { store(value) }
    public mutating func uint16(_ value: UInt16) { store(value) }
    public mutating func uint32(_ value: UInt32) { store(value) }
    public mutating func uint64(_ value: UInt64) { store(value) }
    public mutating func int64(_ value: Int64) { store(value) }

    /// Bytes without a length: they reach to the end of the record.
    public mutating func rest(_ value: [UInt8]) {
        reserve(value.count)
        value.withUnsafeBytes {
            if let source = $0.baseAddress { (base + count).copyMemory(from: source, byteCount: $0.count) }
        }
        count += value.count
    }

    /// Bytes behind their length, a `varint`.
    public mutating func bytes(_ value: [UInt8]) {
        varint(UInt64(value.count))
        rest(value)
    }

    /// A number that is mostly small: seven bits a byte, the lowest first, the eighth bit where more follow (LEB128 of
    /// DWARF 5, 7.6). One to ten bytes.
    public mutating func varint(_ value: UInt64) {
        reserve(10)
        var left = value
        while left >= 0x80 {
            base.storeBytes(of: UInt8(truncatingIfNeeded: left) | 0x80, toByteOffset: count, as: UInt8.self)
            count += 1
            left &>>= 7
        }
        base.storeBytes(of: UInt8(truncatingIfNeeded: left), toByteOffset: count, as: UInt8.self)
        count += 1
    }

    /// A signed number that is mostly near zero, as a `varint` of 0, -1, 1, -2, 2, …
    public mutating func signed(_ value: Int64) { varint(UInt64(bitPattern: value &<< 1 ^ value &>> 63)) }

    /// What lies between two instants, which may be any numbers.
    public mutating func instant(_ value: Int64, after earlier: Int64) { signed(value &- earlier) }
}

/// Takes a record apart in the order it was put together. Lent for the length of a closure.
///
/// Reading past the end yields zeros and marks the record as damaged; the lender throws after the closure.
public struct RecordReader {
    private let base: UnsafeRawPointer
    private let end: Int
    private var offset: Int
    public let version: UInt8
    private(set) var overran = false

    init(_ record: UnsafeRawBufferPointer) {
        base = record.baseAddress!
        end = record.count
        offset = RecordFrame.header
        version = record[0]
    }

    private mutating func load<T: FixedWidthInteger>(_ type: T.Type) -> T {
        guard end - offset >= MemoryLayout<T>.size else {
            overran = true
            return 0
        }
        defer { offset += MemoryLayout<T>.size }
        return T(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    public mutating func uint8() -> UInt8 { load(UInt8.self) }
    public mutating func uint16() -> UInt16 { load(UInt16.self) }
    public mutating func uint32() -> UInt32 { load(UInt32.self) }
    public mutating func uint64() -> UInt64 { load(UInt64.self) }
    public mutating func int64() -> Int64 { load(Int64.self) }

    /// How many bytes are left.
    public var left: Int { end - offset }

    /// Everything that is left.
    public mutating func rest() -> [UInt8] { take(left) }

    /// Bytes behind their length.
    public mutating func bytes() -> [UInt8] { take(length()) }

    /// What `RecordWriter.varint` wrote. More than 64 bits: damaged.
    public mutating func varint() -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < end, shift < 64 {
            let byte = base.load(fromByteOffset: offset, as: UInt8.self)
            offset += 1
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return value }
            shift += 7
        }
        fail()
        return 0
    }

    /// A `varint` of at most 32 bits. A larger one: damaged.
    public mutating func varint32() -> UInt32 {
        let value = varint()
        if value > UInt64(UInt32.max) { fail() }
        return UInt32(truncatingIfNeeded: value)
    }

    /// A `varint` of at most 16 bits. A larger one: damaged.
    public mutating func varint16() -> UInt16 {
        let value = varint()
        if value > UInt64(UInt16.max) { fail() }
        return UInt16(truncatingIfNeeded: value)
    }

    /// What `RecordWriter.signed` wrote.
    public mutating func signed() -> Int64 {
        let value = varint()
        return Int64(bitPattern: value &>> 1) ^ -Int64(bitPattern: value & 1)
    }

    public mutating func instant(after earlier: Int64) -> Int64 { earlier &+ signed() }

    private mutating func length() -> Int { Int(truncatingIfNeeded: min(varint(), UInt64(Int.max))) }

    /// Passes over bytes behind their length and says how many they were.
    public mutating func skipBytes() -> Int {
        let length = length()
        guard length <= left else {
            overran = true
            return 0
        }
        offset += length
        return length
    }

    private mutating func take(_ length: Int) -> [UInt8] {
        guard length <= left else {
            overran = true
            return []
        }
        defer { offset += length }
        return Array(UnsafeRawBufferPointer(start: base + offset, count: length))
    }

    /// For a value that does not decode although its checksum is right.
    public mutating func fail() { overran = true }
}
