// JSON as it comes from a file, read once and left where it is. The reader is sound and not complete: what it takes is
// JSON that orjson reads to the same value; what it does not take may be JSON all the same, and is for others to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace reasonmill {

using Bytes = std::vector<uint8_t>;

inline void append(const uint8_t* bytes, size_t length, Bytes* out) { out->insert(out->end(), bytes, bytes + length); }
inline void append(std::string_view text, Bytes* out) { out->insert(out->end(), text.begin(), text.end()); }

// What stands between two quotes: valid UTF-8 with valid escapes, or none.
struct JsonString {
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  bool is_escaped = false;

  std::string_view raw() const { return {reinterpret_cast<const char*>(bytes), length}; }
};

enum class JsonKind : uint8_t { kAbsent, kNull, kString, kInteger, kObject, kArray, kOther };

// A value: `text` is the inside of a string, and all of anything else. Integers have up to 18 digits and no "-0".
struct JsonValue {
  JsonKind kind = JsonKind::kAbsent;
  JsonString text;
};

// A place in JSON. Each function goes past what it names, or returns false and leaves the place anywhere.
class JsonCursor {
 public:
  JsonCursor(const uint8_t* begin, const uint8_t* end) : at_(begin), end_(end) {}

  // The place past white space; 0 at the end.
  uint8_t peek();
  bool take(uint8_t byte);
  bool at_end() { return peek() == 0 && at_ == end_; }

  bool string(JsonString* out);
  // The name of a member and its colon. Names with escapes are not taken.
  bool name(std::string_view* out);
  bool value(JsonValue* out) { return value(out, 0); }

  // Calls member(name) at the value of each member; it goes past the value, or returns false.
  template <typename Member>
  bool object(const Member& member) {
    if (!take('{')) return false;
    if (peek() == '}') return take('}');
    do {
      std::string_view key;
      if (!name(&key) || !member(key)) return false;
    } while (take(','));
    return take('}');
  }

  // Calls element() at each element.
  template <typename Element>
  bool array(const Element& element) {
    if (!take('[')) return false;
    if (peek() == ']') return take(']');
    do {
      if (!element()) return false;
    } while (take(','));
    return take(']');
  }

 private:
  bool value(JsonValue* out, size_t depth);
  bool number(JsonValue* out);
  bool word(std::string_view expected);

  const uint8_t* at_;
  const uint8_t* end_;
};

// The characters of a string.
void append_decoded(const JsonString& text, Bytes* out);

// Characters as orjson writes them between quotes.
void append_escaped(const uint8_t* bytes, size_t length, Bytes* out);

// A string as orjson writes it, quotes included.
void append_string(const JsonString& text, Bytes* out);

// The object as orjson writes what it read. False for what may come out otherwise: names that occur twice, numbers whose
// shortest form is not plainly the one that stands there, deep nesting. `only_strings`: whether all its values are.
bool append_object(const JsonString& object, Bytes* out, bool* only_strings = nullptr);

}  // namespace reasonmill
