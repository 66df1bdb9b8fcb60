// CRC-32C (Castagnoli; RFC 3720, appendix B.4): the checksum for which processors have an instruction. Beside it, a
// table of 16 entries for those that have none; the results are the same.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define CRC32C_TARGET __attribute__((target("sse4.2")))
#define CRC32C_WORD(sum, word) ((uint32_t)__builtin_ia32_crc32di((sum), (word)))
#define CRC32C_BYTE(sum, byte) __builtin_ia32_crc32qi((sum), (byte))
static inline int crc32c_has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <sys/auxv.h>
#define CRC32C_TARGET __attribute__((target("crc")))
#define CRC32C_WORD(sum, word) __builtin_arm_crc32cd((sum), (word))
#define CRC32C_BYTE(sum, byte) __builtin_arm_crc32cb((sum), (byte))
// HWCAP_CRC32, bit 7.
static inline int crc32c_has_instruction(void) { return (getauxval(AT_HWCAP) & (1ul << 7)) != 0; }
#endif

// Goes on with `sum` (0 at the beginning) over `count` bytes, without the instruction.
static inline uint32_t crc32c_by_table(uint32_t sum, const void *bytes, size_t count) {
    static const uint32_t table[16] = {
        0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362, 0x7198540D,
        0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
    };
    const unsigned char *at = (const unsigned char *)bytes;
    sum = ~sum;
    for (; count > 0; count--, at++) {
        sum ^= *at;
        sum = table[sum & 15] ^ (sum >> 4);
        sum = table[sum & 15] ^ (sum >> 4);
    }
    return ~sum;
}

#ifdef CRC32C_WORD
CRC32C_TARGET static inline uint32_t crc32c_by_instruction(uint32_t sum, const void *bytes, size_t count) {
    const unsigned char *at = (const unsigned char *)bytes;
    uint64_t word;
    sum = ~sum;
    for (; count >= 8; count -= 8, at += 8) {
        memcpy(&word, at, 8);
        sum = CRC32C_WORD(sum, word);
    }
    for (; count > 0; count--, at++) sum = CRC32C_BYTE(sum, *at);
    return ~sum;
}
#endif

// Goes on with `sum` (0 at the beginning) over `count` bytes.
static inline uint32_t crc32c(uint32_t sum, const void *bytes, size_t count) {
#ifdef CRC32C_WORD
    if (crc32c_has_instruction()) return crc32c_by_instruction(sum, bytes, count);
#endif
    return crc32c_by_table(sum, bytes, count);
}
