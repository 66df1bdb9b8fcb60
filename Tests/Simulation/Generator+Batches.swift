internal import MartletEngine
internal import MartletProtocol

/// What is said of batches.
extension Generator {
    /// Where their followers go, and the type these have: nobody else uses them, so that the model finds their ids.
    static let followerQueue = Bytes("followers".utf8)
    static let followerType = Bytes("follower".utf8)

    mutating func batch(_ model: Model) -> MartletEngine.Operation {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<25 where model.batches.count < 8: return .batchNew(newBatch())
        case 0..<50: return .batch(BatchRequest(batch: anyBatch(model), action: .seal, request: nonce()))
        case 50..<62: return .batch(BatchRequest(batch: anyBatch(model), action: .cancel, request: nonce()))
        default: return .batchInfo(anyBatch(model))
        }
    }

    private mutating func newBatch() -> BatchNewRequest {
        let followers = (0..<random.pick([0, 1, 2, 3])).map { _ in
            followerCount += 1
            return BatchFollower(
                on: random.pick(BatchEnd.allCases), queue: Self.followerQueue, type: Self.followerType,
                payload: Bytes("follower \(followerCount)".utf8))
        }
        return BatchNewRequest(followers: followers, request: nonce())
    }

    /// The batch a new task joins.
    mutating func joined(_ model: Model) -> Bytes? {
        guard hasBatches, random.chance(40) else { return nil }
        let open = model.batches.filter { !$0.value.isSealed }.keys.sorted()
        guard random.chance(95), let batch = open.randomElement(using: &random) else {
            return random.chance(20) ? anyBatch(model) : nil
        }
        return batch.text
    }

    /// A task whose batch is over, to be retried.
    mutating func endedMember(_ model: Model) -> TaskID? {
        guard hasBatches, random.chance(50) else { return nil }
        let over = model.batches.values.filter { $0.over != nil }.flatMap { $0.members.keys }
        return over.filter { model.tasks[$0] != nil }.sorted().randomElement(using: &random)
    }

    private mutating func anyBatch(_ model: Model) -> Bytes {
        let any = model.batches.keys.sorted().randomElement(using: &random)
        return random.chance(95) ? any?.text ?? [] : anyID(model)?.text ?? Bytes("none".utf8)
    }
}
