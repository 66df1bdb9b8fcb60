/// A point in time: Unix milliseconds (1970-01-01T00:00:00Z = 0).
public typealias Timestamp = Int64

/// A span of time in milliseconds.
public typealias Milliseconds = Int64
