/// What a kind of task takes and gives, shared by those who submit it and those who run it.
///
///     enum Resize: TaskDefinition {
///         struct Payload: Codable, Sendable { var image: String; var width: Int }
///         struct Output: Codable, Sendable { var path: String }
///         static let type = "resize"
///         static let queue = "images"
///     }
///
/// Payload and output travel as JSON.
public protocol TaskDefinition {
    /// What the handler gets.
    associatedtype Payload: Codable & Sendable
    /// What the handler returns, kept as the task's result.
    associatedtype Output: Codable & Sendable
    /// The task type on the wire: 1–256 bytes.
    static var type: String { get }
    /// Where it is submitted unless the call says otherwise: 1–128 bytes.
    static var queue: String { get }
}
