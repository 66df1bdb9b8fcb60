extension RequestParser {
    enum Step: Hashable {
        case done
        case incomplete
        /// The bytes up to `position` are no request: an empty line or array.
        case nothing
        case failed(ProtocolViolation)
    }

    /// The value of a header line, and where the next line begins.
    enum Line {
        case value(Int64, next: Int)
        case incomplete
        case invalid
        case tooLong
    }

    mutating func scan(_ span: Span<UInt8>) -> Step {
        if remaining < 0 {
            guard span.count > position else { return .incomplete }
            guard span[position] == UInt8(ascii: "*") else { return scanInline(span) }
            switch header(span) {
            case .incomplete: return .incomplete
            case .tooLong: return .failed(.tooBigCount)
            case .invalid: return .failed(.invalidMultibulkLength)
            case .value(let count, let next):
                guard count <= limits.arguments else { return .failed(.invalidMultibulkLength) }
                position = next
                guard count > 0 else { return .nothing }
                guard isAuthenticated || count <= RequestLimits.unauthenticatedArguments else {
                    return .failed(.unauthenticatedMultibulk)
                }
                remaining = count
            }
        }
        while remaining > 0 {
            let step = scanArgument(span)
            guard step == .done else { return step }
        }
        return .done
    }

    /// Reads one bulk string, or as much of it as is there.
    private mutating func scanArgument(_ span: Span<UInt8>) -> Step {
        if body < 0 {
            guard span.count > position else { return .incomplete }
            // Redis looks for the end of the line before it looks at its first byte.
            let line = header(span)
            if case .incomplete = line { return .incomplete }
            if case .tooLong = line { return .failed(.tooBigBulkCount) }
            guard span[position] == UInt8(ascii: "$") else { return .failed(.expectedDollar(span[position])) }
            guard case .value(let length, let next) = line, (0...limits.bulk).contains(length) else {
                return .failed(.invalidBulkLength)
            }
            guard isAuthenticated || length <= RequestLimits.unauthenticatedBulk else {
                return .failed(.unauthenticatedBulk)
            }
            (position, body) = (next, length)
            skipIfTooBig()
        }
        return skipping ? skipBody(span) : keepBody(span)
    }

    /// Once a request is known to be too big nothing of it is kept, not even where its arguments are.
    private mutating func skipIfTooBig() {
        guard !skipping else { return }
        guard body > limits.argument || body > Int64(limits.request - min(position, limits.request)) else { return }
        skipping = true
        ranges = []
    }

    private mutating func keepBody(_ span: Span<UInt8>) -> Step {
        let length = Int(body)
        guard span.count - position >= length + 2 else { return .incomplete }
        let end = position + length
        guard span[end] == UInt8(ascii: "\r"), span[end + 1] == UInt8(ascii: "\n") else {
            return .failed(.missingLineEnd)
        }
        ranges.append(ArgumentRange(start: position, count: length))
        (position, body, remaining) = (end + 2, -1, remaining - 1)
        return .done
    }

    private mutating func skipBody(_ span: Span<UInt8>) -> Step {
        let there = Int(min(body, Int64(span.count - position)))
        (position, body) = (position + there, body - Int64(there))
        guard body == 0, span.count - position >= 2 else { return .incomplete }
        guard span[position] == UInt8(ascii: "\r"), span[position + 1] == UInt8(ascii: "\n") else {
            return .failed(.missingLineEnd)
        }
        (position, body, remaining) = (position + 2, -1, remaining - 1)
        return .done
    }

    /// Reads the line at `position`: one byte of kind, then a decimal integer.
    private mutating func header(_ span: Span<UInt8>) -> Line {
        var end = position + scanned
        while end < span.count, span[end] != UInt8(ascii: "\r") {
            end += 1
            if end - position > limits.line { return .tooLong }
        }
        // The line end may still be cut in two.
        guard end + 1 < span.count else {
            scanned = max(0, end - position)
            return .incomplete
        }
        scanned = 0
        guard span[end + 1] == UInt8(ascii: "\n"),
            let value = Decimal.parse(span, start: position + 1, end: end)
        else { return .invalid }
        return .value(value, next: end + 2)
    }
}
