public import NIOCore

/// Finds requests in the bytes of a connection: RESP arrays of bulk strings, and inline commands as Redis has them.
///
/// It resumes where it stopped, so a request that arrives byte by byte is looked at once. Every count and length is
/// checked before anything is kept; what is too big to keep is skipped as it arrives. After `.request` and `.tooBig`
/// the caller moves the buffer's reader index by `consumed` and calls `advance()`.
public struct RequestParser: Sendable {
    /// What was found at the buffer's reader index.
    public enum Outcome: Hashable, Sendable {
        /// The request is not complete yet.
        case incomplete
        /// A request, in `consumed` bytes. `request(in:)` has it.
        case request
        /// A request that is too big to keep ends after `consumed` bytes; those before are gone.
        case tooBig
        case invalid(ProtocolViolation)
    }

    /// Where the parser stands besides the buffer's reader index: enough to come back to the same place.
    public struct Mark: Sendable {
        var skipping: Bool
        var remaining: Int64
        var body: Int64
    }

    public var limits: RequestLimits
    /// Whether the client may send as much as `limits` allow; until then only as much as Redis allows.
    public var isAuthenticated: Bool
    /// The arguments found so far, from the request's first byte.
    var ranges: [ArgumentRange] = []
    /// Bytes looked at, from the buffer's reader index.
    var position = 0
    /// Bytes of an unfinished line that hold no line end, from `position`.
    var scanned = 0
    /// Arguments still to come; -1 between requests.
    var remaining: Int64 = -1
    /// Bytes of the bulk string that is being read; -1 before its header.
    var body: Int64 = -1
    /// The request is too big to keep: its bytes are dropped as they arrive.
    var skipping = false
    /// An inline command's arguments, unquoted.
    var inline: ByteBuffer?
    /// The request in hand is done with. It is forgotten only when the next one is looked for, because until then
    /// somebody may share its ranges, and emptying shared ranges would copy them.
    private var isFinished = false

    public init(limits: RequestLimits = .init(), isAuthenticated: Bool = true) {
        self.limits = limits
        self.isAuthenticated = isAuthenticated
    }

    /// How many bytes the request just found takes.
    public var consumed: Int { position }

    /// How many arguments of the request in hand are known.
    public var found: Int { ranges.count }

    /// Looks for the next request. Moves the reader index only over bytes that belong to no request that is kept.
    public mutating func next(in buffer: inout ByteBuffer) -> Outcome {
        if isFinished { reset() }
        while true {
            let step = scan(buffer.readableBytesUInt8Span)
            if skipping, step != .done {
                buffer.moveReaderIndex(forwardBy: position)
                position = 0
            }
            switch step {
            case .done: return skipping ? .tooBig : .request
            case .incomplete: return .incomplete
            case .failed(let violation): return .invalid(violation)
            case .nothing:
                buffer.moveReaderIndex(forwardBy: position)
                reset()
            }
        }
    }

    /// The request that `next` found in `buffer`, whose reader index has not moved since.
    public func request(in buffer: ByteBuffer) -> Request {
        Request(buffer: inline ?? buffer, ranges: ranges)
    }

    /// The request in hand is done with; the next one begins at the reader index.
    public mutating func advance() {
        isFinished = true
        // A million ranges are 8 MiB: not kept for the next request.
        if ranges.capacity > 1_024 { ranges = [] }
    }

    private mutating func reset() {
        isFinished = false
        ranges.removeAll(keepingCapacity: true)
        position = 0
        scanned = 0
        remaining = -1
        body = -1
        skipping = false
        inline = nil
    }

    /// A mark to go back to, with the reader index of the same moment.
    public var mark: Mark { Mark(skipping: skipping && !isFinished, remaining: remaining, body: body) }

    /// Goes back to `mark`; the buffer's reader index has been set back to where it was then.
    public mutating func rewind(to mark: Mark) {
        reset()
        // A request that is kept is simply read again from its first byte; of a skipped one that byte is gone.
        guard mark.skipping else { return }
        (skipping, remaining, body) = (true, mark.remaining, mark.body)
    }
}
