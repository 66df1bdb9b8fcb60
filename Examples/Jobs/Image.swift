import MartletClient

/// Pixels of red, green and blue, row by row from the top.
struct Image: Sendable, Equatable {
    static let longestSide = 65_535
    static let mostPixels = 64 * 1024 * 1024

    var width: Int
    var height: Int
    var pixels: [UInt8]

    static func decode(_ bytes: [UInt8], format: String) throws -> Image {
        let image: Image? =
            switch format.lowercased() {
            case "ppm": PPM.decode(bytes)
            case "bmp": BMP.decode(bytes)
            default: throw TaskFailure.dead("not a known format: .\(format)", kind: "invalid_format")
            }
        guard let image else { throw TaskFailure.dead("a damaged .\(format)", kind: "invalid_image") }
        return image
    }

    func encoded(format: String) throws -> [UInt8] {
        switch format.lowercased() {
        case "ppm": PPM.encode(self)
        case "bmp": BMP.encode(self)
        default: throw TaskFailure.dead("not a known format: .\(format)", kind: "invalid_format")
        }
    }

    /// Whether a size read from a file is one.
    static func isSize(_ width: Int, _ height: Int) -> Bool {
        (1...longestSide).contains(width) && (1...longestSide).contains(height) && width * height <= mostPixels
    }
}

// MARK: - Another size

extension Image {
    /// First the rows, then the columns. Stops when the task is cancelled.
    func resized(width: Int, height: Int) throws -> Image {
        let (across, down) = (Weights(from: self.width, to: width), Weights(from: self.height, to: height))
        var rows = [Float](repeating: 0, count: self.height * width * 3)
        for y in 0..<self.height {
            try Task.checkCancellation()
            let line = y * self.width * 3
            for x in 0..<width {
                for (source, weight) in across[x] {
                    for channel in 0..<3 {
                        rows[(y * width + x) * 3 + channel] += Float(pixels[line + source * 3 + channel]) * weight
                    }
                }
            }
        }
        var pixels = [UInt8](repeating: 0, count: width * height * 3)
        for y in 0..<height {
            try Task.checkCancellation()
            for index in 0..<width * 3 {
                let sum = down[y].reduce(Float(0)) { $0 + rows[$1.source * width * 3 + index] * $1.weight }
                pixels[y * width * 3 + index] = UInt8(min(max(sum.rounded(), 0), 255))
            }
        }
        return Image(width: width, height: height, pixels: pixels)
    }
}

/// Which pixels of a line make a pixel of the new line: by the area they share when it gets smaller, by the distance
/// of their centres when it gets larger.
private struct Weights {
    private let parts: [[(source: Int, weight: Float)]]

    subscript(pixel: Int) -> [(source: Int, weight: Float)] { parts[pixel] }

    init(from: Int, to: Int) {
        let scale = Float(from) / Float(to)
        parts = (0..<to).map { pixel in
            scale > 1 ? Self.area(pixel, scale, from) : Self.linear(pixel, scale, from)
        }
    }

    private static func area(_ pixel: Int, _ scale: Float, _ count: Int) -> [(Int, Float)] {
        let (start, end) = (Float(pixel) * scale, Float(pixel + 1) * scale)
        let last = min(Int(end.rounded(.up)), count)
        return (min(Int(start), count - 1)..<max(last, Int(start) + 1)).map { source in
            (source, max(0, min(end, Float(source + 1)) - max(start, Float(source))) / scale)
        }
    }

    private static func linear(_ pixel: Int, _ scale: Float, _ count: Int) -> [(Int, Float)] {
        let centre = min(max((Float(pixel) + 0.5) * scale - 0.5, 0), Float(count - 1))
        let low = Int(centre)
        let high = min(low + 1, count - 1)
        return [(low, 1 - (centre - Float(low))), (high, centre - Float(low))]
    }
}
