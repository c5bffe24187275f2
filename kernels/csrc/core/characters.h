// The table of kernels/characters.py, and UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>

namespace reasonmill {

enum Kind : uint32_t { kSeparator = 0, kWord = 1, kSingle = 2, kSymbol = 3, kIgnored = 4 };

inline constexpr uint32_t kTableSize = 0x20000;
inline constexpr uint32_t kSingleEnd = 0x40000;
inline constexpr uint32_t kKindShift = 24;
inline constexpr uint32_t kFoldedMask = 0x1FFFFF;

// Entry of a code point: kind << kKindShift | folded code point. `table` has kTableSize entries.
inline uint32_t entry_of(const uint32_t* table, uint32_t code) {
  if (code < kTableSize) return table[code];
  return code | (code < kSingleEnd ? kSingle << kKindShift : 0);
}

// Decodes the character outside ASCII at `*at` and moves behind it. Bytes that are no UTF-8 (lone surrogates as CPython
// writes them are taken as such) are read one by one as U+FFFD, a separator.
inline uint32_t decode_utf8(const uint8_t* bytes, size_t length, size_t* at) {
  constexpr uint32_t kReplacement = 0xFFFD;
  const uint8_t* p = bytes + *at;
  const size_t left = length - *at;
  const auto follows = [&](size_t k) { return k < left && (p[k] & 0xC0) == 0x80; };
  if (p[0] >= 0xC2 && p[0] < 0xE0 && follows(1)) {
    *at += 2;
    return (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
  }
  if (p[0] >= 0xE0 && p[0] < 0xF0 && follows(1) && follows(2)) {
    const uint32_t code = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    if (code >= 0x800) {
      *at += 3;
      return code;
    }
  }
  if (p[0] >= 0xF0 && p[0] < 0xF5 && follows(1) && follows(2) && follows(3)) {
    const uint32_t code = (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    if (code >= 0x10000 && code < 0x110000) {
      *at += 4;
      return code;
    }
  }
  *at += 1;
  return kReplacement;
}

// Appends at `out`, returns the number of bytes (1 to 4).
inline size_t encode_utf8(uint32_t code, uint8_t* out) {
  if (code < 0x80) {
    out[0] = static_cast<uint8_t>(code);
    return 1;
  }
  if (code < 0x800) {
    out[0] = static_cast<uint8_t>(0xC0 | code >> 6);
    out[1] = static_cast<uint8_t>(0x80 | (code & 0x3F));
    return 2;
  }
  if (code < 0x10000) {
    out[0] = static_cast<uint8_t>(0xE0 | code >> 12);
    out[1] = static_cast<uint8_t>(0x80 | (code >> 6 & 0x3F));
    out[2] = static_cast<uint8_t>(0x80 | (code & 0x3F));
    return 3;
  }
  out[0] = static_cast<uint8_t>(0xF0 | code >> 18);
  out[1] = static_cast<uint8_t>(0x80 | (code >> 12 & 0x3F));
  out[2] = static_cast<uint8_t>(0x80 | (code >> 6 & 0x3F));
  out[3] = static_cast<uint8_t>(0x80 | (code & 0x3F));
  return 4;
}

}  // namespace reasonmill
