public import MartletProtocol

// The broker as a whole.
extension MartletClient {
    /// The broker at a glance.
    public func brokerInfo() async throws(MartletError) -> BrokerDetails {
        try BrokerDetails(try await link.send(RESPCommand("BROKER.INFO")))
    }

    /// Copies everything the broker answered before into a new directory on the broker's machine, which `martlet serve
    /// --data` can serve. The broker goes on meanwhile; the copy is there whole and durable, or not at all.
    ///
    /// However long it takes it is waited for, on a connection of its own; a Swift task that is cancelled no longer
    /// waits, and the broker still finishes. When the connection is lost it is asked for again, which is refused if the
    /// first snapshot is there by then.
    /// - Parameter path: absolute, on the broker's machine; nothing may be there but an empty directory. The user whose
    ///   process the broker is creates it.
    /// - Throws: `refused` with ERR while another snapshot or check goes on, or when it cannot be put there; with
    ///   DISKFULL when there is too little room.
    public func snapshot(to path: String) async throws(MartletError) {
        _ = try await lines.send(RESPCommand("BROKER.SNAPSHOT", .text(path)), blocking: nil)
    }

    /// Reads all tables of the broker and says where they disagree, while it goes on. Nothing is changed.
    ///
    /// However long it takes it is waited for, on a connection of its own; when that is lost it is begun again.
    /// - Throws: `refused` with ERR while another check or snapshot goes on.
    public func checkData() async throws(MartletError) -> DataCheck {
        try DataCheck(try await lines.send(RESPCommand("BROKER.CHECK"), blocking: nil))
    }

    /// While it is on, commands that change anything are refused with READONLY and nothing happens by itself: no lease
    /// ends, no cron entry runs. What was due meanwhile happens when it is off again, as it is after a start.
    public func setReadOnly(_ isOn: Bool) async throws(MartletError) {
        _ = try await link.send(RESPCommand("BROKER.READONLY", .text(isOn ? "on" : "off")))
    }
}

/// The broker at a glance (`BROKER.INFO`).
public struct BrokerDetails: Sendable {
    /// As 0.1.0.
    public var version: String
    /// The number of its process.
    public var pid: Int
    /// Its clock, in Unix milliseconds.
    public var now: Timestamp
    /// How long it runs, in milliseconds.
    public var uptime: Milliseconds
    /// always: nothing is answered before it is flushed; everysec: the flush comes within a second.
    public var durability: String
    /// Why nothing is changed now: an operator's order, or a disk that failed. `nil`: changes are made.
    public var readOnlyReason: String?
    /// Connections.
    public var clients: Int
    /// How many queues there are.
    public var queues: Int
    /// Workers it has heard of lately.
    public var workers: Int
    /// Tasks that are due and wait.
    public var pending: Int
    /// Tasks that are leased.
    public var active: Int
    /// Bytes in use of the data file.
    public var dataSize: Int
    /// Bytes past which changes are refused with DISKFULL.
    public var dataLimit: Int

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        version = try fields.text("version")
        pid = try fields.count("pid")
        now = try fields.integer("now")
        uptime = try fields.integer("uptime_ms")
        durability = try fields.text("durability")
        readOnlyReason = fields.optional("read_only")?.text
        clients = try fields.count("clients")
        queues = try fields.count("queues")
        workers = try fields.count("workers")
        pending = try fields.count("pending")
        active = try fields.count("active")
        dataSize = try fields.count("data_bytes")
        dataLimit = try fields.count("data_limit_bytes")
    }
}

/// What a look at all tables found (`BROKER.CHECK`).
public struct DataCheck: Sendable {
    /// Whether all tables agree.
    public var isSound: Bool
    /// Where they do not, a line each, for people: the first 100, then how many more there are.
    public var problems: [String]

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        isSound = try fields.flag("ok")
        problems = (fields.optional("problems")?.elements ?? []).compactMap(\.text)
    }
}
