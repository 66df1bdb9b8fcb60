import CLMDB
import Glibc

/// How much room there is for new work.
public enum SpaceLevel: Int, Comparable, Sendable {
    /// Everything goes.
    case ample
    /// Adds are refused, so that what is queued can still be worked off.
    case low
    /// Hand-outs are refused too, so that the work in hand can still be finished.
    case critical

    public static func < (left: SpaceLevel, right: SpaceLevel) -> Bool { left.rawValue < right.rawValue }
}

/// Keeps room for the acknowledgements of the work in hand: in the map by refusing new work in time, on the disk by a
/// reserve file that is given up when the disk is full and laid in again when there is room.
public struct Space {
    /// Room that is kept back from adds; half of it from hand-outs too.
    let margin: Int
    private let directory: String
    private var reservePath: String { directory + "/reserve" }
    /// Whether the reserve file is there.
    public private(set) var holdsReserve = false

    public init(_ environment: Environment) {
        directory = environment.directory
        let disk = Self.total(directory) ?? 1 << 40
        margin = max(256 * 1024, min(4 << 20, min(environment.options.maxBytes, disk) / 16))
    }

    /// Bytes a process may still write to the file system of `directory`.
    static func available(_ directory: String) -> Int? {
        var information = statvfs()
        guard statvfs(directory, &information) == 0 else { return nil }
        return Int(information.f_bavail) * Int(information.f_frsize)
    }

    private static func total(_ directory: String) -> Int? {
        var information = statvfs()
        guard statvfs(directory, &information) == 0 else { return nil }
        return Int(information.f_blocks) * Int(information.f_frsize)
    }

    /// Looks how much room there is. A few microseconds while there is plenty; near the end the list of free pages is
    /// read too.
    public mutating func level(_ environment: Environment) -> SpaceLevel {
        let usage = environment.usage
        let disk = Self.available(directory) ?? 0
        if !holdsReserve, disk >= margin * 3 { layReserve() }
        var room = min(usage.capacity - usage.used, disk)
        // Near the end every group is a commit of LMDB, so that what it has free is known.
        environment.usesJournal = room >= margin * 16
        if !environment.usesJournal {
            try? environment.settle()
            room += environment.freeBytes
        }
        if room < margin / 2 { return .critical }
        return room < margin || !holdsReserve ? .low : .ample
    }

    /// Gives the reserve up: the disk is full and work in hand must be finished. `false` if it was gone already.
    public mutating func giveUpReserve() -> Bool {
        guard holdsReserve else { return false }
        holdsReserve = false
        return unlink(reservePath) == 0
    }

    private mutating func layReserve() {
        let descriptor = open(reservePath, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        holdsReserve = posix_fallocate(descriptor, 0, off_t(margin)) == 0
        if !holdsReserve { unlink(reservePath) }
    }
}

extension Environment {
    /// Bytes of pages inside the data file that are free to be used again. Reads LMDB's list of them.
    var freeBytes: Int {
        let pages = try? read { (transaction) throws(StorageError) -> Int in
            var opened: OpaquePointer?
            try check(mdb_cursor_open(transaction.handle, 0, &opened), "cannot read the free pages")
            defer { mdb_cursor_close(opened) }
            var total = 0
            var key = MDB_val()
            var value = MDB_val()
            while mdb_cursor_get(opened, &key, &value, MDB_NEXT) == MDB_SUCCESS {
                total += Int(UnsafeRawBufferPointer(value).loadUnaligned(as: UInt.self))
            }
            return total
        }
        return (pages ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
