import CLMDB
import Glibc

extension StorageError {
    /// What LMDB or the C library calls a code.
    static func text(of code: Int32) -> String {
        guard let text = mdb_strerror(code) else { return "error \(code)" }
        return String(cString: text)
    }

    /// Classifies a code of LMDB or the operating system.
    init(code: Int32, _ doing: String, table: Table? = nil, key: KeyBytes? = nil) {
        let kind: Kind =
            switch code {
            case MDB_MAP_FULL, ENOSPC, EDQUOT: .full
            case MDB_CORRUPTED, MDB_PAGE_NOTFOUND: .damaged
            case MDB_VERSION_MISMATCH, MDB_INVALID: .version
            default: .failed
            }
        self.init(kind, code: code, doing, table: table, key: key)
    }
}

/// Throws unless LMDB says that all is well.
func check(_ code: Int32, _ doing: @autoclosure () -> String) throws(StorageError) {
    guard code == MDB_SUCCESS else { throw StorageError(code: code, doing()) }
}
