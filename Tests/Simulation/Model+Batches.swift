internal import MartletEngine
internal import MartletProtocol

/// A batch as a list of its tasks and how each ended.
struct ModelBatch {
    var followers: [BatchFollower]
    var isSealed = false
    var isCancelled = false
    /// Whether each has completed; `nil`: it has not ended.
    var members: [TaskID: Bool?] = [:]
    var over: Timestamp?
    var told: Set<BatchEnd> = []

    var pending: Int { members.values.count { $0 == nil } }
    var completed: Int { members.values.count { $0 == true } }
    var failed: Int { members.values.count { $0 == false } }
}

/// A task that followed a batch, and whose id the engine has not shown.
struct ModelFollower {
    var add: AddRequest
    var at: Timestamp
}

/// BATCH.*
extension Model {
    var hasMembers: Bool { batches.values.contains { $0.pending > 0 } }

    func refusal(ofJoining name: Bytes?) -> Outcome? {
        guard let name else { return nil }
        guard let batch = TaskID(name).flatMap({ batches[$0] }) else { return .refused(.error) }
        return batch.isSealed ? .refused(.badState) : nil
    }

    mutating func join(_ name: Bytes?, _ id: TaskID) {
        guard let batch = name.flatMap({ TaskID($0) }) else { return }
        batches[batch]?.members[id] = .some(nil)
    }

    mutating func batch(_ operation: MartletEngine.Operation, _ now: Timestamp, _ answer: Answer) -> Outcome {
        switch operation {
        case .batchNew(let request): remembering(request.request, now) { $0.newBatch(request, answer) }
        case .batch(let request):
            remembering(request.request, now) {
                request.action == .seal ? $0.sealBatch(request, now) : $0.cancelBatch(request, now)
            }
        case .batchInfo(let name): batchInfo(name)
        default: .refused(.error)
        }
    }

    private mutating func newBatch(_ request: BatchNewRequest, _ answer: Answer) -> Outcome {
        guard case .id(let id) = answer else { return .id(TaskID(sequence: 0, check: 0)) }
        if let newestID, id <= newestID { complaints.append("batch \(id) is not after \(newestID)") }
        newestID = id
        batches[id] = ModelBatch(followers: request.followers)
        return .id(id)
    }

    private mutating func sealBatch(_ request: BatchRequest, _ now: Timestamp) -> Outcome {
        guard let id = TaskID(request.batch), batches[id] != nil else { return .refused(.error) }
        batches[id]?.isSealed = true
        finish(id, now)
        return .ok
    }

    private mutating func cancelBatch(_ request: BatchRequest, _ now: Timestamp) -> Outcome {
        guard let id = TaskID(request.batch), let batch = batches[id] else { return .refused(.error) }
        guard batch.over == nil else { return .refused(.badState) }
        guard !batch.isCancelled else { return .ok }
        batches[id]?.isSealed = true
        batches[id]?.isCancelled = true
        for member in batch.members.filter({ $0.value == nil }).keys.sorted() {
            _ = cancel(CancelRequest(id: member, reason: Report.ownWords), now)
        }
        finish(id, now)
        return .ok
    }

    private func batchInfo(_ name: Bytes) -> Outcome {
        guard let id = TaskID(name), let batch = batches[id] else { return .refused(.error) }
        let state: BatchView.State =
            batch.isCancelled
            ? .cancelled
            : !batch.isSealed ? .open : batch.pending > 0 ? .running : batch.failed > 0 ? .failed : .succeeded
        return .batch(
            BatchView(
                id: id, total: Int64(batch.members.count), pending: Int64(batch.pending),
                completed: Int64(batch.completed), failed: Int64(batch.failed), isSealed: batch.isSealed, state: state))
    }

    /// A task has ended, or is gone before it did.
    mutating func tellBatch(of member: TaskID, _ state: TaskState, _ time: Timestamp) {
        for (id, batch) in batches where batch.members[member] == .some(nil) {
            batches[id]?.members[member] = state == .completed
            finish(id, time)
        }
    }

    /// An ended task is to run again.
    mutating func rejoin(_ member: TaskID) {
        for (id, batch) in batches where batch.members[member] != nil {
            batches[id]?.members[member] = .some(nil)
            batches[id]?.over = nil
        }
    }

    private mutating func finish(_ id: TaskID, _ time: Timestamp) {
        guard let batch = batches[id], batch.isSealed, batch.pending == 0, batch.over == nil else { return }
        var ends: Set<BatchEnd> = [.complete]
        if batch.failed == 0, !batch.isCancelled { ends.insert(.success) }
        ends.subtract(batch.told)
        batches[id]?.over = time
        batches[id]?.told.formUnion(ends)
        for follower in batch.followers where ends.contains(follower.on) {
            let add = AddRequest(queue: follower.queue, type: follower.type, payload: follower.payload)
            followers.append(ModelFollower(add: add, at: time))
        }
        insertFollowers()
    }

    /// Those whose ids the engine has shown join the others.
    mutating func insertFollowers() {
        let waiting = followers
        followers = []
        for follower in waiting {
            guard let id = shownFollowers[follower.add.payload]?.first else {
                followers.append(follower)
                continue
            }
            shownFollowers[follower.add.payload]?.removeFirst()
            let newest = newestID
            newestID = nil
            _ = insert(follower.add, id, follower.at)
            newestID = max(id, newest ?? id)
        }
    }

    mutating func settleBatches(_ now: Timestamp) {
        batches = batches.filter { $0.value.over.map { $0 + Limits.batchKeep > now } ?? true }
    }
}
