import MartletEngine
import MartletProtocol

/// What an event says, by the names it has on the wire.
///
/// A breaker's has its name as id, no queue, and a type of its own.
struct EventFields {
    static let breakerType = Array("@breaker".utf8)

    var id: Bytes
    var queue: Bytes
    var type: Bytes
    /// `nil`: it was added.
    var from: String?
    var to: String

    init(_ event: Event) {
        switch event {
        case .task(let move):
            (id, queue, type) = (Array(move.id.description.utf8), move.queue, move.type)
            (from, to) = (move.from?.name, move.to.name)
        case .breaker(let move):
            (id, queue, type) = (move.name, [], Self.breakerType)
            (from, to) = (move.from.name, move.to.name)
        }
    }
}
