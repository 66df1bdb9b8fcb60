/// What a group does to the tables, in order and as bytes: what a journal keeps, and what `Transaction.replay` does
/// again. Fields little-endian, one after the other without gaps:
///
///     ┌──────────┬─────────────┬──────────────────────────────────────┬──────┬────────┐
///     │ table u8 │ key size u8 │ value size u32; all ones: key deleted │ key… │ value… │
///     └──────────┴─────────────┴──────────────────────────────────────┴──────┴────────┘
///
/// Replaying the effects of every group on an empty environment gives the same tables.
final class GroupEffects {
    /// Room in front of the effects, for the header of a journal's entry.
    static let head = 24
    private static let field = 6
    private static let deleted = UInt32.max

    private(set) var base: UnsafeMutableRawPointer
    private var capacity: Int
    /// Bytes in use, `head` included.
    private(set) var end = head
    /// How many effects the group had, collected or not.
    private(set) var count = 0
    /// More came than a journal takes: the bytes are not complete.
    private(set) var overflowed = false
    /// Past so many bytes nothing more is collected.
    var limit = 0

    init() {
        capacity = 64 * 1024
        base = .allocate(byteCount: capacity, alignment: 8)
    }

    deinit { base.deallocate() }

    /// The effects alone.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: base + Self.head, count: end - Self.head)
    }

    func begin() {
        (end, count, overflowed) = (Self.head, 0, false)
    }

    func append(_ table: Table, _ key: KeyBytes, _ value: UnsafeRawBufferPointer?) {
        count += 1
        let size = Self.field + key.count + (value?.count ?? 0)
        guard !overflowed, end + size <= limit else { return overflowed = true }
        reserve(size)
        base.storeBytes(of: UInt8(truncatingIfNeeded: table.index), toByteOffset: end, as: UInt8.self)
        base.storeBytes(of: UInt8(truncatingIfNeeded: key.count), toByteOffset: end + 1, as: UInt8.self)
        let length = value.map { UInt32(truncatingIfNeeded: $0.count) } ?? Self.deleted
        base.storeBytes(of: length.littleEndian, toByteOffset: end + 2, as: UInt32.self)
        end += Self.field
        key.withBytes { write($0) }
        if let value { write(value) }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        (base + end).copyMemory(from: source, byteCount: bytes.count)
        end += bytes.count
    }

    private func reserve(_ more: Int) {
        guard end + more > capacity else { return }
        capacity = max(capacity * 2, end + more)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 8)
        moved.copyMemory(from: base, byteCount: end)
        base.deallocate()
        base = moved
    }

    /// Hands out each effect: table index, key, and value (`nil`: deleted). Bytes that make no sense are damage.
    static func forEach(
        in bytes: UnsafeRawBufferPointer,
        _ body: (Int, KeyBytes, UnsafeRawBufferPointer?) throws(StorageError) -> Void
    ) throws(StorageError) {
        var offset = 0
        while offset < bytes.count {
            guard bytes.count - offset >= field else { throw damage }
            let (table, keySize) = (Int(bytes[offset]), Int(bytes[offset + 1]))
            let length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 2, as: UInt32.self))
            let size = length == deleted ? 0 : Int(length)
            offset += field
            guard keySize <= KeyBytes.capacity, bytes.count - offset >= keySize + size else { throw damage }
            let key = KeyBytes(copying: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + keySize]))
            offset += keySize
            let value = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + size])
            try body(table, key, length == deleted ? nil : value)
            offset += size
        }
    }

    private static var damage: StorageError { StorageError(.damaged, "a group's effects do not decode") }
}

/// Gets every group's effects as bytes: the seam for a journal that lies elsewhere.
public final class EffectLog {
    /// The effects of the group that became durable last.
    public internal(set) var bytes: [UInt8] = []

    public init() {}
}
