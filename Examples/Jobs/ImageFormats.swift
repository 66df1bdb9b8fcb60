/// Netpbm's P6 with 8 bits a colour: `P6 <width> <height> 255 <bytes>`, `#` begins a comment in the header.
enum PPM {
    static func decode(_ bytes: [UInt8]) -> Image? {
        var position = 0
        guard word(bytes, &position) == "P6", let width = word(bytes, &position).flatMap({ Int($0) }),
            let height = word(bytes, &position).flatMap({ Int($0) }), word(bytes, &position) == "255",
            Image.isSize(width, height), bytes.count - position == width * height * 3
        else { return nil }
        return Image(width: width, height: height, pixels: Array(bytes[position...]))
    }

    static func encode(_ image: Image) -> [UInt8] {
        Array("P6\n\(image.width) \(image.height)\n255\n".utf8) + image.pixels
    }

    /// The next word of the header and the one blank behind it.
    private static func word(_ bytes: [UInt8], _ position: inout Int) -> String? {
        var word: [UInt8] = []
        while position < bytes.count, word.count < 16 {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "#"), word.isEmpty {
                while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
            } else if byte == UInt8(ascii: " ") || (9...13).contains(byte) {
                if !word.isEmpty { return String(decoding: word, as: UTF8.self) }
            } else {
                word.append(byte)
            }
        }
        return nil
    }
}

/// Windows bitmaps without compression, 24 or 32 bits a pixel. Written with 24.
enum BMP {
    private static let headerLength = 54

    static func decode(_ bytes: [UInt8]) -> Image? {
        guard bytes.count >= headerLength, bytes[0] == UInt8(ascii: "B"), bytes[1] == UInt8(ascii: "M") else {
            return nil
        }
        let (start, depth) = (number(bytes, 10), Int(bytes[28]) | Int(bytes[29]) << 8)
        let (width, signed) = (number(bytes, 18), Int(Int32(truncatingIfNeeded: number(bytes, 22))))
        // A negative height means that the rows begin at the top.
        let height = abs(signed)
        let size = depth / 8
        guard depth == 24 || depth == 32, number(bytes, 30) == 0, Image.isSize(width, height) else { return nil }
        let stride = (width * size + 3) / 4 * 4
        guard start >= headerLength, start + stride * height <= bytes.count else { return nil }
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height * 3)
        for y in 0..<height {
            let row = start + (signed < 0 ? y : height - 1 - y) * stride
            for x in 0..<width {
                let pixel = row + x * size
                pixels += [bytes[pixel + 2], bytes[pixel + 1], bytes[pixel]]
            }
        }
        return Image(width: width, height: height, pixels: pixels)
    }

    static func encode(_ image: Image) -> [UInt8] {
        let stride = (image.width * 3 + 3) / 4 * 4
        var bytes = Array("BM".utf8)
        for field in [headerLength + stride * image.height, 0, headerLength, 40, image.width, image.height] {
            append(field, 4, to: &bytes)
        }
        append(1, 2, to: &bytes)
        append(24, 2, to: &bytes)
        for field in [0, stride * image.height, 2_835, 2_835, 0, 0] { append(field, 4, to: &bytes) }
        for y in (0..<image.height).reversed() {
            for x in 0..<image.width {
                let pixel = (y * image.width + x) * 3
                bytes += [image.pixels[pixel + 2], image.pixels[pixel + 1], image.pixels[pixel]]
            }
            bytes += [UInt8](repeating: 0, count: stride - image.width * 3)
        }
        return bytes
    }

    private static func number(_ bytes: [UInt8], _ position: Int) -> Int {
        (0..<4).reduce(0) { $0 | Int(bytes[position + $1]) << ($1 * 8) }
    }

    private static func append(_ number: Int, _ count: Int, to bytes: inout [UInt8]) {
        for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: number >> (index * 8))) }
    }
}
