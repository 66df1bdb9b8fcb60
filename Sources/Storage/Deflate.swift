import CZlib

/// Raw deflate at level 1, where it pays: between 4 KiB and 1 MiB (below, it costs more than the whole enqueue;
/// above, it holds up everybody else).
public enum Deflate {
    /// Sizes worth compressing.
    public static let range = 4_096...1_048_576

    /// The compressed bytes; `nil` where it does not pay or does not get smaller by at least an eighth.
    public static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        guard range.contains(bytes.count) else { return nil }
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        guard deflateInit2_(&stream, 1, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, zlibVersion(), size) == Z_OK else {
            return nil
        }
        defer { deflateEnd(&stream) }
        let limit = bytes.count - bytes.count / 8
        var input = bytes
        var output = [UInt8](repeating: 0, count: limit)
        let status = run(&stream, &input, &output, Z_FINISH, deflate)
        guard status == Z_STREAM_END else { return nil }
        output.removeLast(output.count - Int(stream.total_out))
        return output
    }

    /// The original bytes; `nil` if `bytes` is not the compressed form of exactly `size` bytes.
    public static func expand(_ bytes: [UInt8], size: Int) -> [UInt8]? {
        guard range.contains(size) else { return nil }
        var stream = z_stream()
        guard inflateInit2_(&stream, -15, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
        defer { inflateEnd(&stream) }
        var input = bytes
        var output = [UInt8](repeating: 0, count: size)
        let status = run(&stream, &input, &output, Z_FINISH, inflate)
        return status == Z_STREAM_END && stream.total_out == size ? output : nil
    }

    private static func run(
        _ stream: inout z_stream, _ input: inout [UInt8], _ output: inout [UInt8], _ flush: Int32,
        _ step: (UnsafeMutablePointer<z_stream>, Int32) -> Int32
    ) -> Int32 {
        input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                return step(&stream, flush)
            }
        }
    }
}
