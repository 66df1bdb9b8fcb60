public import MartletProtocol

// Labels as text.
extension TaskOptions {
    /// Adds labels to find the task by; each once.
    public mutating func addTags(_ tags: String...) { self.tags += tags.map { Bytes($0.utf8) } }

    /// Says whose the task is.
    public mutating func setGroup(_ group: String) { self.group = Bytes(group.utf8) }

    /// Puts it in a line: of the tasks of its queue with this key one runs at a time, in the order of their adds.
    public mutating func setOrder(_ key: String) { self.order = Bytes(key.utf8) }

    /// Lets it wait until this limit (`setLimit`) has so many tokens for it, and of every other one that is added.
    /// Tasks that need none of them do not wait for it.
    public mutating func addLimit(_ name: String, cost: Int64 = 1) {
        limits.append(LimitCost(name: Bytes(name.utf8), cost: cost))
    }

    /// Adds fields that travel with the task, in the order of their names. One that is there already is replaced.
    public mutating func addMeta(_ fields: [String: String]) {
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            let field = MetaField(name: Bytes(name.utf8), value: Bytes(value.utf8))
            meta.removeAll { $0.name == field.name }
            meta.append(field)
        }
    }
}

extension UniqueKey {
    /// - Parameters:
    ///   - key: 1–256 bytes.
    ///   - span: the longest the key is held.
    ///   - until: what frees it before.
    public init(_ key: String, for span: Duration? = nil, until: Until = .done) {
        self.init(Bytes(key.utf8), span: span?.wholeMilliseconds, until: until)
    }
}
