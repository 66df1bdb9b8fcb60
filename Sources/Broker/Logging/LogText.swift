/// Makes text safe for one line of a log or a terminal: nothing in it can begin a line, move a cursor or hide.
public enum LogText {
    /// Control characters, line separators and marks that turn the direction of writing as `\u{…}`.
    public static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { isHarmful($0) || $0 == "\\" }) else { return text }
        var safe = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": safe += "\\\\"
            case "\n": safe += "\\n"
            case "\r": safe += "\\r"
            case "\t": safe += "\\t"
            default:
                if isHarmful(scalar) {
                    safe += "\\u{\(String(scalar.value, radix: 16))}"
                } else {
                    safe.unicodeScalars.append(scalar)
                }
            }
        }
        return safe
    }

    /// As a value behind `name=`: in quotes unless it is one plain word.
    static func value(_ text: String) -> String {
        let safe = escaped(text)
        let isPlain = !safe.isEmpty && safe.allSatisfy { $0 != " " && $0 != "\"" && $0 != "=" }
        return isPlain ? safe : "\"\(safe.replacing("\"", with: "\\\""))\""
    }

    /// As a JSON string, quotes included.
    public static func json(_ text: String) -> String {
        var safe = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": safe += "\\\\"
            case "\"": safe += "\\\""
            case "\n": safe += "\\n"
            case "\r": safe += "\\r"
            case "\t": safe += "\\t"
            default:
                // All of them lie in the basic plane, so four digits do.
                if isHarmful(scalar) {
                    let digits = String(scalar.value, radix: 16)
                    safe += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
                } else {
                    safe.unicodeScalars.append(scalar)
                }
            }
        }
        return safe + "\""
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0: true
        // Marks of direction, line and paragraph separators.
        case 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
        default: false
        }
    }
}
