import FoundationEssentials
import MartletProtocol

/// Typed payloads and results as bytes.
enum JSON {
    static func encode(_ value: some Encodable) throws(MartletError) -> Bytes {
        do {
            return Bytes(try JSONEncoder().encode(value))
        } catch {
            throw .encoding("\(error)")
        }
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from bytes: Bytes) throws(MartletError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw .decoding("\(error)")
        }
    }
}
