import FoundationEssentials
import MartletBroker
import MartletProtocol

extension RESPValue {
    /// As JSON. Bytes that are no UTF-8 become `{"base64": "…"}`.
    var json: String {
        switch self {
        case .simple(let text), .bigNumber(let text): return LogText.json(text)
        case .error(let line): return "{\"error\":\(LogText.json(line))}"
        case .integer(let number): return "\(number)"
        case .boolean(let flag): return "\(flag)"
        case .double(let number): return number.isFinite ? "\(number)" : "null"
        case .null: return "null"
        case .bulk(let bytes), .verbatim(_, let bytes):
            if let text = String(validating: bytes, as: UTF8.self) { return LogText.json(text) }
            return "{\"base64\":\"\(Data(bytes).base64EncodedString())\"}"
        case .array(let elements), .set(let elements), .push(let elements):
            return "[\(elements.map(\.json).joined(separator: ","))]"
        case .map(let fields):
            let pairs = fields.map { "\(LogText.json($0.key.text ?? "")):\($0.value.json)" }
            return "{\(pairs.joined(separator: ","))}"
        }
    }

    /// For people: one line, nothing in it moves a cursor.
    var cell: String {
        switch self {
        case .null: "-"
        case .integer(let number): "\(number)"
        case .boolean(let flag): flag ? "yes" : "no"
        case .double(let number): "\(number)"
        case .array(let elements), .set(let elements): elements.map(\.cell).joined(separator: ",")
        case .map(let fields): fields.map { "\($0.key.cell)=\($0.value.cell)" }.joined(separator: " ")
        default: LogText.escaped(text ?? "")
        }
    }

    /// The fields of a map in order, of RESP2's flat array too.
    var pairs: [(name: String, value: RESPValue)] {
        switch self {
        case .map(let fields): return fields.map { ($0.key.text ?? "", $0.value) }
        case .array(let flat):
            return stride(from: 0, to: flat.count - 1, by: 2).map { (flat[$0].text ?? "", flat[$0 + 1]) }
        default: return []
        }
    }
}
