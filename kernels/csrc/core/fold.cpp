#include "core/fold.h"

#include "core/characters.h"

namespace reasonmill {
namespace {

// Writes a character that is a token by itself, between spaces.
size_t write_alone(uint32_t code, bool is_sign, uint8_t* out) {
  size_t length = 0;
  if (out[-1] != ' ') out[length++] = ' ';
  if (is_sign) out[length++] = kSignMark;
  length += encode_utf8(code, out + length);
  out[length++] = ' ';
  return length;
}

size_t write_folded(uint32_t entry, uint8_t* out, bool* has_marks) {
  const uint32_t folded = entry & kFoldedMask;
  switch (entry >> kKindShift) {
    case kWord:
      return encode_utf8(folded, out);
    case kSingle:
      return write_alone(folded, false, out);
    case kSymbol:
      if (folded >= 0x80) {
        *has_marks = true;
        return write_alone(folded, true, out);
      }
      *out = static_cast<uint8_t>(folded);
      return 1;
    case kIgnored:
      return 0;
    default:
      *out = folded < 0x80 ? static_cast<uint8_t>(folded) : ' ';
      return 1;
  }
}

}  // namespace

size_t fold_text(const uint8_t* text, size_t length, const uint32_t* table, uint8_t* folded, bool* has_marks) {
  *has_marks = false;
  size_t out = 0;
  for (size_t at = 0; at < length;) {
    const size_t ascii = isa().fold_ascii(text + at, length - at, folded + out);
    at += ascii;
    out += ascii;
    while (at < length && text[at] >= 0x80) {
      out += write_folded(entry_of(table, decode_utf8(text, length, &at)), folded + out, has_marks);
    }
  }
  return out;
}

}  // namespace reasonmill
