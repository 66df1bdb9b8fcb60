/// The commands whose latencies are told apart.
enum LoadCommand: Int, CaseIterable, Sendable {
    case add
    case reserve
    case acknowledge
    /// ACK … NEXT
    case acknowledgeNext

    /// As it is printed and named in JSON.
    var name: String {
        switch self {
        case .add: "enqueue"
        case .reserve: "reserve"
        case .acknowledge: "ack"
        case .acknowledgeNext: "ack_next"
        }
    }
}

/// A command whose reply is still to come.
struct InFlight {
    enum Step: Hashable {
        /// AUTH
        case setup
        case add
        /// The first add of a slot in mode `cycleNext`: nothing is in hand yet.
        case firstAdd
        case reserve
        case acknowledge
        case acknowledgeNext
    }

    var step: Step
    /// How many jobs it is about.
    var jobs: Int
    /// Jobs of the same batch that are still to be reserved after it.
    var rest = 0
    /// When what led to it was read, in nanoseconds: so the client's own time counts too.
    var sentAt: Int64
}
