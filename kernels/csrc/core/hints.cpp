#include "core/hints.h"

namespace reasonmill {

// One loop of comparisons without branches, which every compiler makes vectors of.
uint8_t hints_of(TextView text) {
  uint8_t control = 0, high = 0, pipe = 0, less = 0, tab = 0, plus = 0, backslash = 0, slash = 0, www = 0;
  for (size_t i = 0; i < text.length; ++i) {
    const uint8_t c = text.bytes[i];
    control |= static_cast<uint8_t>(((c < 0x20) & (c != '\t') & (c != '\n') & (c != '\r')) | (c == 0x7F));
    high |= c;
    pipe |= static_cast<uint8_t>(c == '|');
    less |= static_cast<uint8_t>(c == '<');
    tab |= static_cast<uint8_t>(c == '\t');
    plus |= static_cast<uint8_t>(c == '+');
    backslash |= static_cast<uint8_t>(c == '\\');
    slash |= static_cast<uint8_t>(c == '/');
  }
  for (size_t i = 1; i < text.length; ++i) {
    www |= static_cast<uint8_t>(((text.bytes[i - 1] | 0x20) == 'w') & ((text.bytes[i] | 0x20) == 'w'));
  }
  return static_cast<uint8_t>(control * kControl | (high >> 7) * kNonAscii | pipe * kPipe | less * kLess | tab * kTab |
                              plus * kPlus | backslash * kBackslash | ((slash | www) ? kSlashOrWww : 0));
}

}  // namespace reasonmill
