import MartletProtocol
import MartletStorage

/// A command that was answered under a nonce.
struct RememberedRequest {
    var request: RequestNonce
    var answer: RememberedAnswer

    /// `nonce │ fingerprint u64 │ answer`
    func write(to record: inout RecordWriter) {
        record.bytes(request.nonce)
        record.uint64(request.fingerprint)
        answer.write(to: &record)
    }

    init(_ request: RequestNonce, _ answer: RememberedAnswer) {
        self.request = request
        self.answer = answer
    }

    init(from record: inout RecordReader) {
        request = RequestNonce(nonce: record.bytes(), fingerprint: record.uint64())
        answer = RememberedAnswer(from: &record)
    }
}

/// Which group's record remembers a nonce. In memory (24 bytes a nonce); rebuilt at start.
struct Nonces {
    /// The group that remembered a nonce last, by the nonce's hash. Two nonces of one hash (of 2^64) share an entry;
    /// the record tells them apart, and the older one is forgotten.
    private var groups: [UInt64: UInt64] = [:]
    /// What the open group remembers: becomes one record when it closes.
    private(set) var open: [RememberedRequest] = []
    /// Where in `open` the newest answer of a nonce stands, by the nonce's hash.
    private var openPlaces: [UInt64: Int] = [:]
    /// Groups whose record the open group deleted: forgotten when it is committed.
    private var forgotten: [(nonces: [Bytes], group: UInt64)] = []
    /// Nonces in closed groups, forgotten or overwritten ones included.
    var count = 0

    static func hash(_ nonce: Bytes) -> UInt64 { StableHash.hash(nonce, seed: 0x6D61_7274_6C65_7401) }

    func group(_ nonce: Bytes) -> UInt64? { groups[Self.hash(nonce)] }

    /// The newest answer under a nonce within the open group.
    func inOpenGroup(_ nonce: Bytes) -> RememberedRequest? {
        guard let place = openPlaces[Self.hash(nonce)] else { return nil }
        return open[place].request.nonce == nonce ? open[place] : open.last { $0.request.nonce == nonce }
    }

    mutating func remember(_ remembered: RememberedRequest) {
        openPlaces[Self.hash(remembered.request.nonce)] = open.count
        open.append(remembered)
    }

    /// The open group was committed as record `group`.
    mutating func closeGroup(as group: UInt64) {
        for (nonces, group) in forgotten { drop(nonces, group) }
        forgotten.removeAll()
        for hash in openPlaces.keys { groups[hash] = group }
        count += open.count
        clearOpenGroup()
    }

    /// The open group was given up.
    mutating func dropOpenGroup() {
        clearOpenGroup()
        forgotten.removeAll()
    }

    private mutating func clearOpenGroup() {
        guard !open.isEmpty else { return }
        open.removeAll(keepingCapacity: true)
        openPlaces.removeAll(keepingCapacity: true)
    }

    /// At start: what a stored group holds.
    mutating func load(_ nonce: Bytes, group: UInt64) {
        groups[Self.hash(nonce)] = group
        count += 1
    }

    /// A group's record is deleted by the open group.
    mutating func forget(_ nonces: [Bytes], group: UInt64) { forgotten.append((nonces, group)) }

    private mutating func drop(_ nonces: [Bytes], _ group: UInt64) {
        for nonce in nonces where groups[Self.hash(nonce)] == group { groups[Self.hash(nonce)] = nil }
        count -= nonces.count
    }
}
