/// A key as it is stored: at most 32 bytes, in place, no allocation. Keys compare as their bytes do.
///
/// Fields are big-endian, so that bytes sort as the fields do; a signed field has its sign bit flipped.
public struct KeyBytes: Sendable {
    /// The most bytes a key can have.
    public static let capacity = 32

    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    public private(set) var count = 0

    public init() {}

    // One method for each width: a generic one is not specialised for other modules.

    /// Appends an unsigned field of 1 byte.
    public mutating func append(_ field: UInt8) { store(field) }
    /// Appends an unsigned field of 4 bytes.
    public mutating func append(_ field: UInt32) { store(field) }
    /// Appends an unsigned field of 2 bytes.
    public mutating func append(_ field: UInt16) { store(field) }
    /// Appends an unsigned field of 8 bytes.
    public mutating func append(_ field: UInt64) { store(field) }

    @inline(__always)
    private mutating func store<T: FixedWidthInteger & UnsignedInteger>(_ field: T) {
        let offset = count
        count += MemoryLayout<T>.size
        precondition(count <= Self.capacity, "a key has at most 32 bytes")
        withUnsafeMutableBytes(of: &words) { $0.storeBytes(of: field.bigEndian, toByteOffset: offset, as: T.self) }
    }

    /// Appends a signed field: 8 bytes, sign bit flipped.
    public mutating func append(_ field: Int64) {
        store(UInt64(bitPattern: field) ^ (1 << 63))
    }

    /// Appends the bytes of another key.
    public mutating func append(contentsOf other: KeyBytes) {
        other.forEachByte { append($0) }
    }

    func forEachByte(_ body: (UInt8) -> Void) {
        withBytes { for byte in $0 { body(byte) } }
    }

    func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        withUnsafeBytes(of: words) { body(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }

    init(copying bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= Self.capacity, "a key has at most 32 bytes")
        count = bytes.count
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: bytes) }
    }

    /// The bytes, for messages and for tests.
    public var bytes: [UInt8] { withBytes { Array($0) } }

    /// Whether this key begins with all the bytes of `prefix`.
    public func begins(with prefix: KeyBytes) -> Bool {
        guard count >= prefix.count else { return false }
        return withBytes { whole in prefix.withBytes { whole.prefix($0.count).elementsEqual($0) } }
    }

    /// Reads the fields back, in order.
    public var reader: KeyReader { KeyReader(key: self) }
}

extension KeyBytes: Comparable {
    // The unused bytes are zero, so whole words can be compared; on a tie the shorter key comes first.
    public static func < (left: KeyBytes, right: KeyBytes) -> Bool {
        let l = left.words
        let r = right.words
        if l.0 != r.0 { return l.0.bigEndian < r.0.bigEndian }
        if l.1 != r.1 { return l.1.bigEndian < r.1.bigEndian }
        if l.2 != r.2 { return l.2.bigEndian < r.2.bigEndian }
        if l.3 != r.3 { return l.3.bigEndian < r.3.bigEndian }
        return left.count < right.count
    }

    public static func == (left: KeyBytes, right: KeyBytes) -> Bool {
        left.words == right.words && left.count == right.count
    }
}

/// Takes a key apart in the order it was put together.
public struct KeyReader {
    let key: KeyBytes
    var offset = 0

    init(key: KeyBytes) { self.key = key }

    /// The next unsigned field of 1 byte. Past the end it is 0, as with the others.
    public mutating func next(_ type: UInt8.Type = UInt8.self) -> UInt8 { load() }
    /// The next unsigned field of 4 bytes.
    public mutating func next(_ type: UInt32.Type = UInt32.self) -> UInt32 { load() }
    /// The next unsigned field of 2 bytes.
    public mutating func next(_ type: UInt16.Type = UInt16.self) -> UInt16 { load() }
    /// The next unsigned field of 8 bytes.
    public mutating func next(_ type: UInt64.Type = UInt64.self) -> UInt64 { load() }

    @inline(__always)
    private mutating func load<T: FixedWidthInteger & UnsignedInteger>() -> T {
        let start = offset
        offset += MemoryLayout<T>.size
        guard offset <= KeyBytes.capacity else { return 0 }
        return withUnsafeBytes(of: key.words) { T(bigEndian: $0.loadUnaligned(fromByteOffset: start, as: T.self)) }
    }

    /// The next signed field.
    public mutating func nextSigned() -> Int64 {
        Int64(bitPattern: load() ^ (1 << 63))
    }
}
