/// What a group does to the tables, in order: the seam a journal is written from.
///
/// Replaying the effects of every group on an empty environment gives the same tables.
public struct Effect: Sendable {
    public var table: Table
    public var key: KeyBytes
    /// The stored value; `nil`: the key is deleted.
    public var value: [UInt8]?
}

/// Collects a group's effects. Filled by every write of a transaction, and only there.
public final class EffectLog {
    /// The effects of the group that is open, or of the one that was committed last.
    public internal(set) var effects: [Effect] = []

    public init() {}
}
