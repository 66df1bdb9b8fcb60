/// The engine did what the model did not predict: the seed and the last steps to replay and read it.
public struct SimulationFailure: Error, CustomStringConvertible {
    public var seed: UInt64
    public var step: Int
    public var finding: String
    /// The newest last.
    public var lastSteps: [String]

    public var description: String {
        """
        seed \(seed), step \(step): \(finding)
        last steps:
        \(lastSteps.map { "  \($0)" }.joined(separator: "\n"))
        """
    }
}

/// Names the fields in which two values differ: what the model says first.
func difference<Value>(_ expected: Value, _ observed: Value) -> String {
    let pairs = zip(Mirror(reflecting: expected).children, Mirror(reflecting: observed).children)
    let fields = pairs.compactMap { expected, observed -> String? in
        let (left, right) = (readable(expected.value), readable(observed.value))
        return left == right ? nil : "\(expected.label ?? "?"): expected \(left), got \(right)"
    }
    let count = Mirror(reflecting: expected).children.count
    guard count > 0, count == Mirror(reflecting: observed).children.count, !fields.isEmpty else {
        return "expected \(readable(expected)), got \(readable(observed))"
    }
    return fields.joined(separator: "; ")
}

/// A value as text, with bytes shown as the text they are.
func readable(_ value: Any) -> String {
    if let bytes = value as? [UInt8] {
        return bytes.count > 40 ? "\(bytes.count) bytes" : "\"\(String(decoding: bytes, as: UTF8.self))\""
    }
    if let text = value as? any CustomStringConvertible, Mirror(reflecting: value).children.isEmpty {
        return text.description
    }
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional: return mirror.children.first.map { readable($0.value) } ?? "nil"
    case .collection: return "[" + mirror.children.map { readable($0.value) }.joined(separator: ", ") + "]"
    case .struct where value is any CustomStringConvertible: return "\(value)"
    case .struct, .enum, .tuple:
        let fields = mirror.children.map { "\($0.label.map { "\($0): " } ?? "")\(readable($0.value))" }
        return fields.isEmpty ? "\(value)" : "(" + fields.joined(separator: ", ") + ")"
    default: return "\(value)"
    }
}
