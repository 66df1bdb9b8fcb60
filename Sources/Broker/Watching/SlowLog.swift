import MartletProtocol

/// The newest commands that took long.
struct SlowLog {
    struct Entry {
        var number: Int64
        /// Unix seconds.
        var at: Int64
        var microseconds: Int64
        var arguments: [Bytes]
        var address: String
        var client: Bytes
    }

    /// Entries kept.
    static let most = 128
    /// What counts as long, in microseconds.
    static let threshold: Int64 = 10_000

    private var entries: [Entry] = []
    private var lastNumber: Int64 = -1

    var count: Int { entries.count }

    func newest(_ count: Int) -> ArraySlice<Entry> { entries.reversed().prefix(count)[...] }

    mutating func removeAll() { entries.removeAll() }

    mutating func add(_ microseconds: Int64, _ arguments: [Bytes], _ connection: Connection, at now: Timestamp) {
        lastNumber += 1
        if entries.count == Self.most { entries.removeFirst() }
        entries.append(
            Entry(
                number: lastNumber, at: now / 1_000, microseconds: microseconds, arguments: arguments,
                address: connection.address, client: connection.name))
    }
}

extension ReplyWriter {
    /// SLOWLOG GET.
    mutating func slowCommands(_ entries: some Collection<SlowLog.Entry>) {
        array(entries.count)
        for entry in entries {
            array(6)
            integer(entry.number)
            integer(entry.at)
            integer(entry.microseconds)
            array(entry.arguments.count)
            for argument in entry.arguments { bulk(argument) }
            bulk(entry.address)
            bulk(entry.client)
        }
    }
}
