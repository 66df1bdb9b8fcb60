import MartletProtocol

/// A task in this worker's hands.
struct Lease: Sendable {
    var id: TaskID
    /// The fencing token of this hand-out.
    var token: Int64
    var queue: String
    var type: String
    var payload: Bytes
    var attempt: Int
    var retries: Int
    /// Length of the lease, in milliseconds.
    var duration: Milliseconds
    var enqueuedAt: Timestamp
    var meta: [String: String]
    var tags: [String]
    var lastError: String?
}

extension Lease {
    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        id = try fields.id("id")
        token = try fields.integer("token")
        queue = try fields.text("queue")
        type = try fields.text("type")
        payload = try fields.bytes("payload")
        attempt = try fields.count("attempt")
        retries = try fields.count("retries")
        duration = try fields.integer("lease_ms")
        enqueuedAt = try fields.integer("enqueued_at")
        meta = fields.texts("meta")
        tags = (fields.optional("tags")?.elements ?? []).compactMap(\.text)
        lastError = fields.optional("last_error")?.text
    }

    /// The tasks of a reply to RESERVE; none when there was none.
    static func all(in reply: RESPValue) throws(MartletError) -> [Lease] {
        var leases: [Lease] = []
        for element in reply.elements ?? [] { leases.append(try Lease(element)) }
        return leases
    }
}
