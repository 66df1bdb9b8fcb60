import MartletClient

/// The task: a document in, its most telling sentences out.
enum Summarize: TaskDefinition {
    struct Payload: Codable, Sendable {
        var title: String
        var text: String
        /// How many sentences the summary may have.
        var sentences: Int
        /// A failure asked for, to see retries and dead letters.
        var planted: PlantedFailure?
    }

    struct Output: Codable, Sendable {
        var title: String
        /// In the document's order.
        var sentences: [String]
        /// Words of the document.
        var words: Int
    }

    enum PlantedFailure: String, Codable, Sendable {
        case firstAttempt
        case everyAttempt
    }

    static let type = "summarize"
    static let queue = "summaries"
}
