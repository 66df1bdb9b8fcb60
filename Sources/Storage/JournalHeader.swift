import CChecksum

/// The 24 bytes in front of an entry.
struct JournalHeader {
    var size: Int
    var transaction: UInt64
    var number: UInt32
    var effects: Int

    init(size: Int, transaction: UInt64, number: UInt32, effects: Int) {
        (self.size, self.transaction, self.number, self.effects) = (size, transaction, number, effects)
    }

    /// Reads the entry at the beginning of `bytes`; `nil` if there is no whole one.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= GroupEffects.head else { return nil }
        size = Int(UInt32(littleEndian: bytes.load(fromByteOffset: 4, as: UInt32.self)))
        transaction = UInt64(littleEndian: bytes.load(fromByteOffset: 8, as: UInt64.self))
        number = UInt32(littleEndian: bytes.load(fromByteOffset: 16, as: UInt32.self))
        effects = Int(UInt32(littleEndian: bytes.load(fromByteOffset: 20, as: UInt32.self)))
        guard size > 0, size <= bytes.count - GroupEffects.head else { return nil }
        let entry = UnsafeRawBufferPointer(rebasing: bytes[0..<GroupEffects.head + size])
        guard UInt32(littleEndian: bytes.load(as: UInt32.self)) == Self.checksum(entry) else { return nil }
    }

    /// Writes itself to the first bytes of `entry`, which holds the effects already.
    func write(to header: UnsafeMutableRawBufferPointer, _ entry: UnsafeRawBufferPointer) {
        header.storeBytes(of: UInt32(truncatingIfNeeded: size).littleEndian, toByteOffset: 4, as: UInt32.self)
        header.storeBytes(of: transaction.littleEndian, toByteOffset: 8, as: UInt64.self)
        header.storeBytes(of: number.littleEndian, toByteOffset: 16, as: UInt32.self)
        header.storeBytes(of: UInt32(truncatingIfNeeded: effects).littleEndian, toByteOffset: 20, as: UInt32.self)
        header.storeBytes(of: Self.checksum(entry).littleEndian, as: UInt32.self)
    }

    private static func checksum(_ entry: UnsafeRawBufferPointer) -> UInt32 {
        crc32c(0, entry.baseAddress.map { $0 + 4 }, entry.count - 4)
    }
}
