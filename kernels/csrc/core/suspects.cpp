#include "core/suspects.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "core/hints.h"

namespace reasonmill {
namespace {

constexpr size_t kPlaceholderBytes = 800;  // 200 characters, which no placeholder has, of up to four bytes each

bool is_letter(uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_in(uint32_t code, uint32_t first, uint32_t last) { return code >= first && code <= last; }

// Bytes of a text, with zeros around them.
class Around {
 public:
  explicit Around(TextView text) : text_(text) {}
  uint8_t operator()(size_t at) const { return at < text_.length ? text_.bytes[at] : 0; }
  // Whether the letters (lower case) and signs stand at `at`, in any case.
  bool holds(size_t at, std::string_view expected) const {
    for (size_t i = 0; i < expected.size(); ++i) {
      const uint8_t c = (*this)(at + i);
      if ((is_letter(c) ? c | 0x20 : c) != static_cast<uint8_t>(expected[i])) return false;
    }
    return true;
  }

 private:
  TextView text_;
};

// The character at `at`, which is outside ASCII; what is no UTF-8 is something or other, and suspicious anyway.
uint32_t character(const Around& text, size_t at) {
  const uint32_t lead = text(at), one = text(at + 1) & 0x3F, two = text(at + 2) & 0x3F, three = text(at + 3) & 0x3F;
  if (lead < 0xE0) return (lead & 0x1F) << 6 | one;
  if (lead < 0xF0) return (lead & 0x0F) << 12 | one << 6 | two;
  return (lead & 0x07) << 18 | one << 12 | two << 6 | three;
}

// Whether a run of corrupted characters may begin with this one (engine/curate/corruption.py: _LEAD).
bool may_be_corrupted(uint32_t code) {
  return is_in(code, 0x80, 0x9F) || is_in(code, 0xC2, 0xF4) || is_in(code, 0x300, 0x36F) ||
         is_in(code, 0x2580, 0x259F) || is_in(code, 0xD800, 0xF8FF) || is_in(code, 0xFDD0, 0xFDEF) ||
         is_in(code, 0xFFF9, 0xFFFF) || code >= 0xF0000 || code == 0x951F || code == 0x70EB || code == 0x5C6F;
}

bool is_space(uint32_t code) {
  return is_in(code, 0x1C, 0x20) || is_in(code, 0x09, 0x0D) || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         is_in(code, 0x2000, 0x200A) || is_in(code, 0x2028, 0x2029) || code == 0x202F || code == 0x205F ||
         code == 0x3000;
}

// Characters outside ASCII: corruption, and what rules of tables are drawn with (U+2500 to U+257F).
uint8_t suspects_outside_ascii(TextView text) {
  const Around around(text);
  uint8_t found = 0;
  for (size_t at = 0; at < text.length;) {
    const uint8_t lead = text.bytes[at];
    if (lead < 0x80) {
      uint64_t eight = 0;
      if (text.length - at >= sizeof eight) std::memcpy(&eight, text.bytes + at, sizeof eight);
      at += eight != 0 && (eight & 0x8080808080808080u) == 0 ? sizeof eight : 1;
      continue;
    }
    const uint32_t code = character(around, at);
    if (lead < 0xC2 || may_be_corrupted(code)) found |= kCorrupted;
    if (is_in(code, 0x2500, 0x257F)) found |= kTable;
    at += lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  }
  return found;
}

// Whether the text may begin as a placeholder does: with a bracket, a word of those, or what is not ASCII.
bool may_be_placeholder(TextView text) {
  if (text.length >= kPlaceholderBytes) return false;
  const Around around(text);
  size_t at = 0;
  const auto is_word = [](uint8_t c) { return is_letter(c) || c == '_' || (c >= '0' && c <= '9') || c >= 0x80; };
  const auto is_bracket = [](uint8_t c) { return c == '{' || c == '<' || c == '['; };
  while (at < text.length && !is_word(text.bytes[at]) && !is_bracket(text.bytes[at])) ++at;
  if (around(at) >= 0xE4 && is_in(character(around, at), 0x4E00, 0x9FA5)) return false;  // Han, letters of no such word
  for (size_t i = 0; i < 3; ++i) {
    if (around(at + i) >= 0x80) return true;  // it may count as a letter that it is not: long s, Kelvin
  }
  if (at == text.length || is_bracket(text.bytes[at])) return true;
  if (around.holds(at, "na") && !is_word(around(at + 2))) return true;
  for (const std::string_view begin : {"nan", "n/a", "nul", "non", "tod", "tbd", "und", "pla", "lor", "tes"}) {
    if (around.holds(at, begin)) return true;
  }
  return false;
}

// Whether the last word may be one that no question ends in.
bool may_be_cut_off(TextView text) {
  size_t end = text.length;
  while (end > 0 && text.bytes[end - 1] < 0x80 && is_space(text.bytes[end - 1])) --end;
  if (end == 0) return true;
  if (text.bytes[end - 1] >= 0x80) {
    size_t begin = end - 1;
    while (begin > 0 && (text.bytes[begin] & 0xC0) == 0x80) --begin;
    return is_space(character(Around(text), begin));  // of a space outside ASCII it is not asked what precedes it
  }
  size_t begin = end;
  while (begin > 0 && text.bytes[begin - 1] >= 'a' && text.bytes[begin - 1] <= 'z' && end - begin < 8) --begin;
  const std::string_view word(reinterpret_cast<const char*>(text.bytes) + begin, end - begin);
  for (const std::string_view last : {"the", "an", "and", "whose", "because", "suppose", "that", "of"}) {
    if (word == last) return true;
  }
  return false;
}

// Whether what every address holds stands around this slash.
bool may_be_url(const Around& text, size_t slash) {
  if (text(slash + 1) == '/' && slash > 0 && text(slash - 1) == ':') return true;
  if (slash >= 3 && text.holds(slash - 3, ".cn")) return true;
  for (const std::string_view top : {".com", ".org", ".net", ".edu", ".gov"}) {
    if (slash >= 4 && text.holds(slash - 4, top)) return true;
  }
  return false;
}

// Calls found(place) for each place of the byte until one is true.
template <typename Found>
bool any_place(TextView text, char wanted, const Found& found) {
  for (size_t at = 0; at < text.length; ++at) {
    const void* next = std::memchr(text.bytes + at, wanted, text.length - at);
    if (next == nullptr) return false;
    at = static_cast<size_t>(static_cast<const uint8_t*>(next) - text.bytes);
    if (found(at)) return true;
  }
  return false;
}

bool has_url(TextView text) {
  const Around around(text);
  return any_place(text, '/', [&](size_t at) { return may_be_url(around, at); }) ||
         any_place(text, '.', [&](size_t at) { return at >= 3 && around.holds(at - 3, "www"); }) ||
         any_place(text, ';', [&](size_t at) { return around.holds(at, ";base64,"); });
}

size_t count(TextView text, char wanted) {
  return static_cast<size_t>(std::count(text.bytes, text.bytes + text.length, static_cast<uint8_t>(wanted)));
}

bool contains(TextView text, std::string_view wanted) {
  return std::string_view(reinterpret_cast<const char*>(text.bytes), text.length).find(wanted) != std::string_view::npos;
}

// Whether the text may have more than one line: any control but a tab ends one, and so may what is not ASCII.
bool may_have_lines(TextView text) {
  return std::any_of(text.bytes, text.bytes + text.length, [](uint8_t c) { return (c < 0x20 && c != '\t') || c >= 0x80; });
}

bool has_table(TextView text, uint8_t hints) {
  if ((hints & kPipe) && count(text, '|') >= 2 && may_have_lines(text)) return true;
  if ((hints & kLess) && (contains(text, "<t") || contains(text, "<T"))) return true;
  if ((hints & kPlus) && (contains(text, "--+") || contains(text, "==+"))) return true;
  return (hints & kTab) && count(text, '\t') >= 6 && may_have_lines(text);  // three lines of two tabs
}

}  // namespace

uint8_t suspects_of(TextView text) {
  const uint8_t hints = hints_of(text);
  uint8_t found = hints & kControl ? kCorrupted : 0;
  if (hints & kNonAscii) found |= suspects_outside_ascii(text);
  if ((hints & kBackslash) && contains(text, "\\begin")) found |= kIncomplete | kTable;
  if (may_be_placeholder(text) || may_be_cut_off(text)) found |= kIncomplete;
  if ((hints & kSlashOrWww) && has_url(text)) found |= kUrl;
  if (has_table(text, hints)) found |= kTable;
  return found;
}

}  // namespace reasonmill
