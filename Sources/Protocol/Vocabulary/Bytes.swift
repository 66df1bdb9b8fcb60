/// Any bytes: a payload, a result, a name as it came over the wire.
public typealias Bytes = [UInt8]
