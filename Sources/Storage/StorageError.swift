/// A failure of the disk or of what is on it; never the caller's fault. Aborts the group it happens in.
public struct StorageError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        /// The disk or the map (`maxBytes`) is full. Comes good by itself when space returns.
        case full
        /// A record does not match its checksum, or cannot be decoded. `table` and `key` name it.
        case damaged
        /// Another process holds the directory.
        case busy
        /// The data was written by another version.
        case version
        /// Anything else the operating system or LMDB reports: nothing can be promised any more.
        case failed
    }

    public var kind: Kind
    /// The code of LMDB or of the operating system; 0 where there is none.
    public var code: Int32
    /// What was being done, and to what.
    public var doing: String
    /// The table and the key of a damaged record.
    public var table: Table?
    public var key: KeyBytes?

    public init(_ kind: Kind, code: Int32 = 0, _ doing: String, table: Table? = nil, key: KeyBytes? = nil) {
        self.kind = kind
        self.code = code
        self.doing = doing
        self.table = table
        self.key = key
    }

    public var description: String {
        let reason = code == 0 ? "" : ": " + Self.text(of: code)
        return "\(doing)\(reason)"
    }
}
