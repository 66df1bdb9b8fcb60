/// One table (a named LMDB database): keys sort as bytes. The owner of the environment lists its tables once.
public struct Table: Hashable, Sendable {
    /// The position in the list the environment was opened with.
    public let index: Int
    public let name: String

    public init(index: Int, name: String) {
        self.index = index
        self.name = name
    }
}
