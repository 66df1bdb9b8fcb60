import Foundation
import MartletClient

/// The task: an image of the images folder in another size. PPM (P6) and uncompressed BMP are understood.
enum ResizeImage: TaskDefinition {
    struct Payload: Codable, Sendable {
        /// File names in the worker's images folder; the endings say the formats: .ppm or .bmp.
        var source: String
        var destination: String
        var width: Int
        /// Without it the proportions stay.
        var height: Int?
    }

    struct Output: Codable, Sendable {
        var path: String
        var width: Int
        var height: Int
        var bytes: Int
    }

    static let type = "resize_image"
    static let queue = Jobs.queue
}

extension ResizeImage.Payload {
    func carryOut(in folder: URL, _ context: TaskContext) async throws -> ResizeImage.Output {
        let (from, to) = (try Jobs.file(source, in: folder), try Jobs.file(destination, in: folder))
        guard let data = try? Data(contentsOf: from), data.count <= Image.mostPixels * 4 + 1_024 else {
            throw TaskFailure.dead("no readable image \(source)", kind: "no_image")
        }
        let image = try Image.decode([UInt8](data), format: from.pathExtension)
        try await context.progress(30, note: "\(image.width)x\(image.height) read")
        let high = height ?? max(1, (image.height * width + image.width / 2) / max(image.width, 1))
        guard width > 0, high > 0, width <= Image.longestSide, high <= Image.longestSide,
            width * high <= Image.mostPixels
        else { throw TaskFailure.dead("\(width)x\(high) is no size for an image", kind: "invalid_size") }
        let small = try image.resized(width: width, height: high)
        try await context.progress(80, note: "resized")
        let bytes = try small.encoded(format: to.pathExtension)
        try Data(bytes).write(to: to, options: .atomic)
        return ResizeImage.Output(path: to.path(), width: width, height: high, bytes: bytes.count)
    }
}
