import Glibc

/// When a group is durable.
public enum Durability: Sendable {
    /// Before its caller is told.
    case always
    /// A second later at the latest: a power cut costs the groups of that second, a crash of the process nothing.
    case everySecond
}

/// The write-ahead file `journal`: groups that are durable although LMDB has not committed them yet.
///
/// Written in place from the beginning, never grown: one flush of a few blocks makes a group durable, where a commit
/// of LMDB takes two and copies every page the group touched. LMDB's transaction stays open over many groups; when it
/// is committed, the file begins again at its start. An entry, little-endian, at a multiple of 8:
///
///     ┌─────────────────────────┬──────────┬─────────────────┬────────────┬─────────────┬──────────┐
///     │ CRC-32C of all after it │ size u32 │ transaction u64 │ number u32 │ effects u32 │ effects… │
///     └─────────────────────────┴──────────┴─────────────────┴────────────┴─────────────┴──────────┘
///
/// `transaction` is the id of LMDB's open transaction, `number` counts its groups from 0. So entries of a transaction
/// that was committed are never mistaken for later ones, and a torn entry ends what is read.
final class Journal {
    /// The most effects between two commits: bounds the pages LMDB holds in memory, and the time a restart takes.
    static let effectLimit = 65_536

    let capacity: Int
    private let file: JournalFile
    private var descriptor: Int32 { file.descriptor }
    private let path: String
    private var written = JournalExtent()
    /// What a power cut does not take back.
    private var flushed = JournalExtent()
    /// Counts LMDB's commits: what was written before one is not in the file any more.
    private var pass = 0

    /// Where the next entry goes.
    var end: Int { written.end }
    /// How many groups LMDB has not committed.
    var groups: UInt32 { written.groups }
    var isUnflushed: Bool { written.groups != flushed.groups }

    /// Opens the journal of `directory`, or makes one of `wanted` bytes; `nil`: none is wanted and none is there, or
    /// the disk has no room for one.
    init?(directory: String, wanted: Int) throws(StorageError) {
        path = directory + "/journal"
        let descriptor = open(path, O_RDWR | O_CLOEXEC | (wanted > 0 ? O_CREAT : 0), 0o600)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw StorageError(code: errno, "cannot open \(path)")
        }
        file = JournalFile(descriptor)
        let size = Int(lseek(descriptor, 0, SEEK_END))
        capacity = max(size, wanted)
        guard size < wanted else { return }
        guard Self.lay(descriptor, from: size, to: wanted, in: directory) else {
            guard size == 0 else { throw StorageError(.full, "cannot lengthen \(path)") }
            unlink(path)
            return nil
        }
    }

    /// Zeros, so that no later flush has to allocate blocks.
    private static func lay(_ descriptor: Int32, from start: Int, to size: Int, in directory: String) -> Bool {
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        var offset = start
        while offset < size {
            let count = min(zeros.count, size - offset)
            guard pwrite(descriptor, zeros, count, off_t(offset)) == count else { return false }
            offset += count
        }
        guard fsync(descriptor) == 0 else { return false }
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return false }
        defer { close(folder) }
        return fsync(folder) == 0
    }

    /// The most bytes a group's effects may have to be taken.
    var room: Int { capacity - end }

    /// Whether there is room for a group; if not, LMDB's commit makes it durable.
    func takes(_ group: GroupEffects) -> Bool {
        !group.overflowed && group.end <= room && written.effects + group.count <= Self.effectLimit
    }

    /// Makes a group durable (`flushing`), or at least safe from the end of the process.
    /// - Throws: what the operating system said; the entry is void then.
    func append(
        _ group: GroupEffects, transaction: UInt64, flushing: Bool
    ) throws(StorageError) {
        let header = UnsafeMutableRawBufferPointer(start: group.base, count: GroupEffects.head)
        JournalHeader(
            size: group.end - GroupEffects.head, transaction: transaction, number: groups, effects: group.count
        )
        .write(to: header, UnsafeRawBufferPointer(start: group.base, count: group.end))
        guard pwrite(descriptor, group.base, group.end, off_t(end)) == group.end,
            !flushing || fdatasync(descriptor) == 0
        else {
            let error = StorageError(code: errno, "cannot write \(path)")
            endHere()
            throw error
        }
        written.take(group.end, group.count)
        if flushing { flushed = written }
    }

    /// What lies behind the last entry is none.
    private func endHere() {
        let nothing = [UInt8](repeating: 0, count: GroupEffects.head)
        _ = pwrite(descriptor, nothing, nothing.count, off_t(end))
    }

    /// Flushes what was appended without.
    func flush() throws(StorageError) {
        guard isUnflushed else { return }
        guard fdatasync(descriptor) == 0 else { throw StorageError(code: errno, "cannot flush \(path)") }
        flushed = written
    }

    /// A flush of all that was appended, to be run on any thread; `nil`: all is flushed.
    func beginFlush() -> JournalFlush? {
        isUnflushed ? JournalFlush(file: file, upTo: written, pass: pass) : nil
    }

    /// `flush` was run and succeeded.
    func ended(_ flush: JournalFlush) {
        guard flush.pass == pass, flush.upTo.groups > flushed.groups else { return }
        flushed = flush.upTo
    }

    /// Gives up the groups that were not flushed: they are not there at the next start.
    func dropUnflushed() {
        written = flushed
        endHere()
    }

    /// LMDB has committed all of it.
    func rewind() {
        (written, flushed) = (JournalExtent(), JournalExtent())
        pass += 1
    }

    /// Removes the file: no journal is wanted any more.
    func remove() { unlink(path) }

    /// Hands out the effects of every group of `transaction`, in order; appending goes on behind them.
    func replay(
        transaction: UInt64, _ body: (UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        let content = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
        defer { content.deallocate() }
        guard pread(descriptor, content.baseAddress, capacity, 0) == capacity else {
            throw StorageError(code: errno, "cannot read \(path)")
        }
        rewind()
        while let header = JournalHeader(UnsafeRawBufferPointer(rebasing: content[min(end, capacity)...])),
            header.transaction == transaction, header.number == groups
        {
            let start = end + GroupEffects.head
            try body(UnsafeRawBufferPointer(rebasing: content[start..<start + header.size]))
            written.take(GroupEffects.head + header.size, header.effects)
        }
        flushed = written
    }
}
