public import MartletProtocol

/// The zones that were asked for so far, by their names in the tz database. Reading the database is its owner's.
public final class ZoneTable {
    /// Zones kept; what comes after them is read each time.
    private static let most = 1_000

    private let load: (Bytes) -> [UInt8]?
    private var zones: [Bytes: ZoneRules] = [:]

    /// - Parameter load: the TZif file of a zone; `nil`: there is none. It is asked for well-formed names only.
    public init(load: @escaping (Bytes) -> [UInt8]? = { _ in nil }) { self.load = load }

    subscript(name: Bytes) -> ZoneRules? {
        if name.elementsEqual("UTC".utf8) { return .utc }
        if let known = zones[name] { return known }
        guard Self.isWellFormed(name), let file = load(name), let rules = ZoneRules(tzif: file) else { return nil }
        if zones.count < Self.most { zones[name] = rules }
        return rules
    }

    /// `Area/Location`: parts of letters, digits, `_`, `+` and `-`, none of them empty. Never a way out of a folder.
    private static func isWellFormed(_ name: Bytes) -> Bool {
        guard (1...64).contains(name.count) else { return false }
        let allowed = name.allSatisfy { byte in
            (48...57).contains(byte) || (97...122).contains(byte | 32) || "_+-/".utf8.contains(byte)
        }
        return allowed
            && name.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty }
    }
}
