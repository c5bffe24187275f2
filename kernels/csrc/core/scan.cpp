#include "core/scan.h"

#include <array>

#include "core/characters.h"
#include "core/hash.h"

namespace reasonmill {
namespace {

bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

// A letter, or any byte of a character outside ASCII.
bool is_letter_like(uint8_t c) { return (c | 0x20) >= 'a' && ((c | 0x20) <= 'z' || c >= 0x80); }

// Folded ASCII letters and digits; 0 for every other byte.
constexpr std::array<uint8_t, 256> ascii_words() {
  std::array<uint8_t, 256> folded{};
  for (uint8_t c = '0'; c <= '9'; ++c) folded[c] = c;
  for (uint8_t c = 'a'; c <= 'z'; ++c) folded[c] = folded[c - 0x20] = c;
  return folded;
}
constexpr std::array<uint8_t, 256> kAsciiWord = ascii_words();

// The word being read: its folded bytes, and what it says about numbers.
struct Word {
  uint8_t* bytes;
  size_t length = 0;
  size_t commas = 0;
  bool numeric = true;  // nothing but digits and points so far
  bool has_digit = false;
  bool has_point = false;

  explicit Word(uint8_t* buffer) : bytes(buffer) {}

  void append(uint32_t code) {
    if (code >= '0' && code <= '9') {
      has_digit = true;
    } else {
      numeric = false;
    }
    if (code < 0x80) {
      bytes[length++] = static_cast<uint8_t>(code);
    } else {
      length += encode_utf8(code, bytes + length);
    }
  }

  // Appends the ASCII letters and digits from `at` on; returns where they end.
  size_t append_run(TextView text, size_t at) {
    bool digit = has_digit;
    bool other = !numeric;
    size_t out = length;
    for (; at < text.length; ++at) {
      const uint8_t folded = kAsciiWord[text.bytes[at]];
      if (folded == 0) break;
      bytes[out++] = folded;
      digit |= folded <= '9';
      other |= folded > '9';
    }
    length = out;
    has_digit = digit;
    numeric = !other;
    return at;
  }

  void clear() { *this = Word(bytes); }
};

uint64_t as_quantity(uint64_t hash) { return mix64(hash ^ kMultiset); }

// Adds the word's numbers to the multiset: itself if it is one, else each run of digits in it.
uint64_t quantities_of(const Word& word, uint64_t hash) {
  if (word.numeric) return as_quantity(hash);
  uint64_t sum = 0;
  for (size_t at = 0; at < word.length;) {
    size_t end = at;
    while (end < word.length && is_digit(word.bytes[end])) ++end;
    if (end > at) sum += as_quantity(hash_bytes(word.bytes + at, end - at));
    at = end + 1;
  }
  return sum;
}

void finish_word(Word* word, Scan* scan) {
  if (word->length == 0) return;
  const uint64_t hash = hash_padded(word->bytes, word->length);
  scan->words.push_back(hash);
  scan->tokens.push_back(hash);
  if (word->has_digit) scan->quantities += quantities_of(*word, hash);
  word->clear();
}

// Whether the separator at [at, end) is the point or comma inside a number such as 1,234.5; a point is appended.
bool joins_number(TextView text, size_t at, Word* word) {
  const uint8_t c = text.bytes[at];
  if ((c != '.' && c != ',') || word->length == 0 || !word->numeric || !is_digit(text.bytes[at - 1])) return false;
  const auto digit_at = [&](size_t i) { return i < text.length && is_digit(text.bytes[i]); };
  if (c == '.') {
    if (!digit_at(at + 1)) return false;
    word->bytes[word->length++] = '.';
    word->has_point = true;
    return true;
  }
  if (word->has_point || (word->commas == 0 && word->length > 3)) return false;
  if (!digit_at(at + 1) || !digit_at(at + 2) || !digit_at(at + 3) || digit_at(at + 4)) return false;
  ++word->commas;
  return true;
}

// Whether the sign at [at, end) is mathematics: not part of a rule or of markup, no hyphen, no exclamation mark.
bool is_mathematical(TextView text, size_t at, size_t end, uint32_t sign) {
  const uint8_t before = at > 0 ? text.bytes[at - 1] : ' ';
  const uint8_t after = end < text.length ? text.bytes[end] : ' ';
  if (sign < 0x80 && (before == sign || after == sign)) return false;
  switch (sign) {
    case '-':
      return !(is_letter_like(before) && is_letter_like(after));
    case '!':
      return is_digit(before);
    case '[':
    case ']':
      return before != '\\';
    default:
      return true;
  }
}

void finish_key(TextView text, Scan* scan) {
  const size_t count = scan->tokens.size();
  if (count == 0) {
    scan->key[0] = hash_bytes(text.bytes, text.length, kMultiset);
    scan->key[1] = hash_bytes(text.bytes, text.length, kSequence);
    return;
  }
  uint64_t first = kWordSeed;
  uint64_t second = kSequence;
  for (const uint64_t token : scan->tokens) {
    first = (first ^ token) * kChunk;
    first ^= first >> 29;
    second = (second + token) * kGram;
    second ^= second >> 32;
  }
  scan->key[0] = mix64(first + count);
  scan->key[1] = mix64(second ^ count);
}

}  // namespace

void scan_text(TextView text, const uint32_t* table, Scan* scan) {
  scan->words.clear();
  scan->tokens.clear();
  scan->quantities = 0;
  if (scan->folded.size() < 2 * text.length + 8) scan->folded.resize(2 * text.length + 8);
  Word word(scan->folded.data());
  for (size_t at = 0; at < text.length;) {
    if (kAsciiWord[text.bytes[at]] != 0) {
      at = word.append_run(text, at);
      if (at < text.length && text.bytes[at] == ' ') {  // the end of most words
        finish_word(&word, scan);
        ++at;
      }
      continue;
    }
    size_t end = at;
    const uint32_t entry = entry_of(table, decode_utf8(text.bytes, &end));
    const uint32_t folded = entry & kFoldedMask;
    switch (entry >> kKindShift) {
      case kWord:
        word.append(folded);
        break;
      case kIgnored:
        break;
      case kSeparator:
        if (!joins_number(text, at, &word)) finish_word(&word, scan);
        break;
      case kSingle:
        finish_word(&word, scan);
        word.append(folded);
        finish_word(&word, scan);
        break;
      case kSymbol:
        finish_word(&word, scan);
        if (is_mathematical(text, at, end, folded)) {
          uint8_t sign[4];
          const uint64_t hash = hash_bytes(sign, encode_utf8(folded, sign));
          scan->tokens.push_back(hash);
          scan->quantities += as_quantity(hash);
        }
        break;
    }
    at = end;
  }
  finish_word(&word, scan);
  finish_key(text, scan);
}

void grams_of(const std::vector<uint64_t>& hashes, size_t n, std::vector<uint64_t>* grams) {
  grams->clear();
  if (hashes.size() < n) return;
  const size_t count = hashes.size() - n + 1;
  grams->resize(count);
  for (size_t i = 0; i < count; ++i) {
    uint64_t h = n * kLength;
    for (size_t k = 0; k < n; ++k) h = h * kGram + hashes[i + k];
    (*grams)[i] = mix64(h);
  }
}

}  // namespace reasonmill
