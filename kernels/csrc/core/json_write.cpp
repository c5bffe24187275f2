#include <algorithm>

#include "core/json.h"
#include "core/json_scan.h"

namespace reasonmill {
namespace {

constexpr size_t kMaxNames = 64;          // of one object, compared with each other
constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxWhole = 9, kMaxFraction = 5;  // digits of a number that a double has as it stands

void append_utf8(uint32_t code, Bytes* out) {
  const auto tail = [&](uint32_t shift) { out->push_back(static_cast<uint8_t>(0x80 | (code >> shift & 0x3F))); };
  if (code < 0x80) {
    out->push_back(static_cast<uint8_t>(code));
    return;
  }
  if (code < 0x800) {
    out->push_back(static_cast<uint8_t>(0xC0 | code >> 6));
  } else if (code < 0x10000) {
    out->push_back(static_cast<uint8_t>(0xE0 | code >> 12));
    tail(6);
  } else {
    out->push_back(static_cast<uint8_t>(0xF0 | code >> 18));
    tail(12);
    tail(6);
  }
  tail(0);
}

bool append_value(JsonCursor* cursor, size_t depth, Bytes* out, bool* is_string);

// Whether the number is written as it stands: few digits, a fraction that ends in no zero or is one.
bool is_shortest(std::string_view number) {
  const bool is_negative = number.front() == '-';
  if (is_negative) number.remove_prefix(1);
  const size_t point = number.find('.');
  if (point == std::string_view::npos || number.find_first_of("eE") != std::string_view::npos) return false;
  const std::string_view whole = number.substr(0, point), fraction = number.substr(point + 1);
  if (whole.size() > kMaxWhole || fraction.size() > kMaxFraction) return false;
  if (fraction == "0") return !(is_negative && whole == "0");
  return fraction.back() != '0' && !(whole == "0" && fraction.substr(0, 3) == "000");
}

bool append_members(JsonCursor* cursor, size_t depth, Bytes* out, bool* only_strings) {
  std::vector<std::string_view> names;
  out->push_back('{');
  const bool is_object = cursor->object([&](std::string_view name) {
    if (names.size() == kMaxNames || std::find(names.begin(), names.end(), name) != names.end()) return false;
    if (!names.empty()) out->push_back(',');
    names.push_back(name);
    out->push_back('"');
    append(name, out);
    append("\":", out);
    bool is_string = false;
    const bool is_written = append_value(cursor, depth + 1, out, &is_string);
    if (only_strings != nullptr) *only_strings &= is_string;
    return is_written;
  });
  out->push_back('}');
  return is_object;
}

bool append_value(JsonCursor* cursor, size_t depth, Bytes* out, bool* is_string) {
  if (depth > kMaxDepth) return false;
  const uint8_t first = cursor->peek();
  *is_string = first == '"';
  if (first == '{') return append_members(cursor, depth, out, nullptr);
  if (first == '[') {
    bool ignored = false, is_first = true;
    out->push_back('[');
    const bool is_array = cursor->array([&] {
      if (!is_first) out->push_back(',');
      is_first = false;
      return append_value(cursor, depth + 1, out, &ignored);
    });
    out->push_back(']');
    return is_array;
  }
  JsonValue value;
  if (!cursor->value(&value)) return false;
  if (value.kind == JsonKind::kString) {
    append_string(value.text, out);
    return true;
  }
  if (value.kind == JsonKind::kNull) {
    append("null", out);
    return true;
  }
  const bool is_word = first == 't' || first == 'f';
  if (value.kind != JsonKind::kInteger && !is_word && !is_shortest(value.text.raw())) return false;
  append(value.text.raw(), out);
  return true;
}

}  // namespace

void append_decoded(const JsonString& text, Bytes* out) {
  const uint8_t* at = text.bytes;
  const uint8_t* end = at + text.length;
  while (text.is_escaped) {
    const uint8_t* escape = std::find(at, end, static_cast<uint8_t>('\\'));
    append(at, static_cast<size_t>(escape - at), out);
    at = escape;
    if (at == end) return;
    size_t length = 0;
    append_utf8(static_cast<uint32_t>(escaped_character(at, end, &length)), out);
    at += length;
  }
  append(at, static_cast<size_t>(end - at), out);
}

void append_escaped(const uint8_t* bytes, size_t length, Bytes* out) {
  constexpr char kHex[] = "0123456789abcdef";
  const uint8_t* at = bytes;
  const uint8_t* end = bytes + length;
  for (;;) {
    const uint8_t* special = skip_plain<false>(at, end);
    append(at, static_cast<size_t>(special - at), out);
    if (special == end) return;
    const uint8_t c = *special;
    at = special + 1;
    constexpr std::string_view kShort = "\b\t\n\f\r\"\\", kLetters = "btnfr\"\\";
    const size_t which = kShort.find(static_cast<char>(c));
    out->push_back('\\');
    if (which != std::string_view::npos) {
      out->push_back(static_cast<uint8_t>(kLetters[which]));
    } else {
      append("u00", out);
      out->push_back(static_cast<uint8_t>(kHex[c >> 4]));
      out->push_back(static_cast<uint8_t>(kHex[c & 15]));
    }
  }
}

void append_string(const JsonString& text, Bytes* out) {
  out->push_back('"');
  if (text.is_escaped) {
    Bytes decoded;
    append_decoded(text, &decoded);
    append_escaped(decoded.data(), decoded.size(), out);
  } else {
    append(text.bytes, text.length, out);
  }
  out->push_back('"');
}

bool append_object(const JsonString& object, Bytes* out, bool* only_strings) {
  JsonCursor cursor(object.bytes, object.bytes + object.length);
  if (only_strings != nullptr) *only_strings = true;
  return cursor.peek() == '{' && append_members(&cursor, 0, out, only_strings) && cursor.at_end();
}

}  // namespace reasonmill
