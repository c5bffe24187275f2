// Steps over the bytes of a JSON string.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace reasonmill {

// The first byte that is a quote, a backslash, a control or, if `kAscii`, outside ASCII; or `end`.
template <bool kAscii>
const uint8_t* skip_plain(const uint8_t* at, const uint8_t* end) {
#if defined(__SSE2__)
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
  const __m128i space = _mm_set1_epi8(0x20), control = _mm_set1_epi8(0x1F);
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // bytes from 0x80 on are negative
    const __m128i low = kAscii ? _mm_cmplt_epi8(bytes, space) : _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes);
    const __m128i found = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)), low);
    const auto mask = static_cast<uint32_t>(_mm_movemask_epi8(found));
    if (mask != 0) return at + std::countr_zero(mask);
  }
#endif
  while (at < end && *at != '"' && *at != '\\' && *at >= 0x20 && !(kAscii && *at >= 0x80)) ++at;
  return at;
}

// Length of the well-formed UTF-8 sequence of a character outside ASCII, 0 where there is none.
inline size_t utf8_length(const uint8_t* at, const uint8_t* end) {
  const uint8_t lead = at[0];
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || static_cast<size_t>(end - at) < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((at[i] & 0xC0) != 0x80) return 0;
  }
  const uint8_t second = at[1];
  const bool is_wrong = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||  // overlong, surrogate
                        (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);    // overlong, too large
  return is_wrong ? 0 : length;
}

// Four hexadecimal digits, or -1.
inline int32_t hex4(const uint8_t* at, const uint8_t* end) {
  if (end - at < 4) return -1;
  int32_t unit = 0;
  for (size_t i = 0; i < 4; ++i) {
    const uint8_t digit = at[i], letter = digit | 0x20;
    if (digit >= '0' && digit <= '9') {
      unit = unit * 16 + (digit - '0');
    } else if (letter >= 'a' && letter <= 'f') {
      unit = unit * 16 + (letter - 'a' + 10);
    } else {
      return -1;
    }
  }
  return unit;
}

// The character of an escape, whose backslash is at `at`: its code, and its length in `length`. -1 where it is none, as
// half of a surrogate pair is.
inline int32_t escaped_character(const uint8_t* at, const uint8_t* end, size_t* length) {
  if (end - at < 2) return -1;
  *length = 2;
  switch (at[1]) {
    case '"':
    case '\\':
    case '/':
      return at[1];
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'u':
      break;
    default:
      return -1;
  }
  const int32_t unit = hex4(at + 2, end);
  *length = 6;
  if (unit < 0xD800 || unit > 0xDFFF) return unit;
  if (unit > 0xDBFF || end - at < 12 || at[6] != '\\' || at[7] != 'u') return -1;
  const int32_t low = hex4(at + 8, end);
  if (low < 0xDC00 || low > 0xDFFF) return -1;
  *length = 12;
  return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
}

}  // namespace reasonmill
