#include "core/json.h"

#include <algorithm>

#include "core/json_scan.h"

namespace reasonmill {
namespace {

constexpr size_t kMaxDepth = 64;         // of nested values
constexpr size_t kMaxNumber = 64;        // characters; with an exponent of two digits it is no infinity
constexpr size_t kMaxIntegerDigits = 18;  // fit 64 bits with a sign

bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

const uint8_t* skip_digits(const uint8_t* at, const uint8_t* end) {
  while (at < end && is_digit(*at)) ++at;
  return at;
}

}  // namespace

uint8_t JsonCursor::peek() {
  while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\n' || *at_ == '\r')) ++at_;
  return at_ < end_ ? *at_ : 0;
}

bool JsonCursor::take(uint8_t byte) {
  if (peek() != byte || at_ == end_) return false;
  ++at_;
  return true;
}

bool JsonCursor::string(JsonString* out) {
  if (!take('"')) return false;
  out->bytes = at_;
  out->is_escaped = false;
  for (;;) {
    at_ = skip_plain<true>(at_, end_);
    if (at_ == end_) return false;
    size_t length = 0;
    if (*at_ == '"') {
      out->length = static_cast<size_t>(at_ - out->bytes);
      ++at_;
      return true;
    }
    if (*at_ == '\\') {
      out->is_escaped = true;
      if (escaped_character(at_, end_, &length) < 0) return false;
      at_ += length;
      continue;
    }
    while (at_ < end_ && *at_ >= 0x80) {
      length = utf8_length(at_, end_);
      if (length == 0) return false;
      at_ += length;
    }
    if (length == 0) return false;  // a control
  }
}

bool JsonCursor::name(std::string_view* out) {
  JsonString text;
  if (peek() != '"' || !string(&text) || text.is_escaped || !take(':')) return false;
  *out = text.raw();
  return true;
}

bool JsonCursor::word(std::string_view expected) {
  if (static_cast<size_t>(end_ - at_) < expected.size()) return false;
  if (!std::equal(expected.begin(), expected.end(), at_)) return false;
  at_ += expected.size();
  return true;
}

bool JsonCursor::number(JsonValue* out) {
  const uint8_t* begin = at_;
  if (*at_ == '-') ++at_;
  const uint8_t* digits = at_;
  at_ = skip_digits(at_, end_);
  const auto num_digits = static_cast<size_t>(at_ - digits);
  if (num_digits == 0 || (*digits == '0' && num_digits > 1)) return false;
  bool is_integer = true;
  if (at_ < end_ && *at_ == '.') {
    const uint8_t* fraction = ++at_;
    at_ = skip_digits(at_, end_);
    if (at_ == fraction) return false;
    is_integer = false;
  }
  if (at_ < end_ && (*at_ | 0x20) == 'e') {
    ++at_;
    if (at_ < end_ && (*at_ == '-' || *at_ == '+')) ++at_;
    const uint8_t* exponent = at_;
    at_ = skip_digits(at_, end_);
    if (at_ == exponent || at_ - exponent > 2) return false;
    is_integer = false;
  }
  out->text = {begin, static_cast<size_t>(at_ - begin), false};
  if (out->text.length > kMaxNumber) return false;
  const bool is_minus_zero = *begin == '-' && *digits == '0';
  out->kind = is_integer && num_digits <= kMaxIntegerDigits && !is_minus_zero ? JsonKind::kInteger : JsonKind::kOther;
  return true;
}

bool JsonCursor::value(JsonValue* out, size_t depth) {
  const uint8_t first = peek();
  const uint8_t* begin = at_;
  if (begin == end_ || depth > kMaxDepth) return false;
  JsonValue inner;
  switch (first) {
    case '"':
      out->kind = JsonKind::kString;
      return string(&out->text);
    case 'n':
      out->kind = JsonKind::kNull;
      return word("null");
    case 't':
      out->kind = JsonKind::kOther;
      out->text = {begin, 4, false};
      return word("true");
    case 'f':
      out->kind = JsonKind::kOther;
      out->text = {begin, 5, false};
      return word("false");
    case '{':
      out->kind = JsonKind::kObject;
      if (!object([&](std::string_view) { return value(&inner, depth + 1); })) return false;
      break;
    case '[':
      out->kind = JsonKind::kArray;
      if (!array([&] { return value(&inner, depth + 1); })) return false;
      break;
    default:
      return number(out);
  }
  out->text = {begin, static_cast<size_t>(at_ - begin), false};
  return true;
}

}  // namespace reasonmill
