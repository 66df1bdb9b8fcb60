import MartletEngine
import MartletProtocol

/// Tasks that are one undertaking: added with BATCH, counted together, followed by others when all have ended.
let batchCommands = [
    Command(
        "BATCH.NEW", .atLeast(1), [.write, .denyOutOfMemory],
        usage: "[ON SUCCESS|COMPLETE queue type payload [ON SUCCESS|COMPLETE queue type payload ...]] [REQ nonce]",
        summary: "Opens a batch. Once it is sealed, a task ON COMPLETE is added when all its tasks have ended, one ON "
            + "SUCCESS when all have completed, be it after a retry; each once, in the transaction of the last end.",
        group: "batch", reply: "the batch's id", run: .write(parseBatchNew)),
    Command(
        "BATCH.SEAL", .atLeast(2), [.write, .fast], usage: "id [REQ nonce]",
        summary: "Says that a batch has all its tasks: it takes no more, and ends when they have ended.",
        group: "batch", reply: "OK",
        run: .write { (cursor, _) throws(CommandError) in
            .batch(try batchRequest(&cursor, .seal, CommandTag.batchSeal))
        }),
    Command(
        "BATCH.CANCEL", .atLeast(2), [.write], usage: "id [REQ nonce]",
        summary:
            "Seals a batch and cancels its tasks that have not ended. ON COMPLETE still follows, ON SUCCESS never.",
        group: "batch", reply: "OK",
        run: .write { (cursor, _) throws(CommandError) in
            .batch(try batchRequest(&cursor, .cancel, CommandTag.batchCancel))
        }),
    Command(
        "BATCH.INFO", .exactly(2), [.readonly, .fast], usage: "id",
        summary:
            "Tells how a batch stands; it is remembered for 7 days after its end. State: open, running, succeeded, "
            + "failed or cancelled; failed counts tasks that are dead, cancelled, expired, or were deleted before "
            + "their end.",
        group: "batch", reply: "a map {id, total, pending, completed, failed, sealed, state}",
        run: .read { (cursor, _) throws(CommandError) in .batchInfo(try cursor.name("id")) }),
]

private func batchRequest(
    _ cursor: inout ArgumentCursor, _ action: BatchRequest.Action, _ tag: UInt64
) throws(CommandError) -> BatchRequest {
    BatchRequest(batch: try cursor.name("id"), action: action, request: try lastNonce(&cursor, tag))
}

@Sendable private func parseBatchNew(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var new = BatchNewRequest(followers: [])
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .on {
            guard new.followers.count < Limits.batchFollowers else {
                throw CommandError(.error, "at most \(Limits.batchFollowers) tasks follow a batch")
            }
            new.followers.append(
                BatchFollower(
                    on: try end(&cursor), queue: try cursor.queue(), type: try cursor.name("type"),
                    payload: try cursor.payload("payload")))
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.batchNew)
        } else {
            throw cursor.syntaxError()
        }
    }
    new.request = nonce?.seal(cursor.request)
    return .batchNew(new)
}

private func end(_ cursor: inout ArgumentCursor) throws(CommandError) -> BatchEnd {
    if cursor.skip(.success) { return .success }
    if cursor.skip(.complete) { return .complete }
    _ = cursor.option()
    throw cursor.syntaxError()
}

extension ReplyWriter {
    /// BATCH.INFO.
    mutating func batch(_ view: BatchView) {
        map(7)
        field("id", view.id)
        field("total", view.total)
        field("pending", view.pending)
        field("completed", view.completed)
        field("failed", view.failed)
        field("sealed", flag: view.isSealed)
        field("state", text: view.state.rawValue)
    }
}
