#include "core/scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>

#include "core/fold.h"
#include "core/hash.h"

namespace reasonmill {
namespace {

bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
bool is_letter(uint8_t c) { return (c >= 'a' && c <= 'z') || c >= 0x80; }

// Whether the ASCII sign here is mathematics: not part of a rule or of markup, no hyphen, no exclamation mark.
bool is_mathematical(const uint8_t* here) {
  if (here[-1] == here[0] || here[1] == here[0]) return false;
  switch (here[0]) {
    case '-':
      return !(is_letter(here[-1]) && is_letter(here[1]));
    case '!':
      return is_digit(here[-1]);
    case '[':
    case ']':
      return here[-1] != '\\';
    default:
      return true;
  }
}

// Quantities of the ASCII signs, by byte.
const std::array<uint64_t, 128>& sign_quantities() {
  static const std::array<uint64_t, 128> quantities = [] {
    std::array<uint64_t, 128> of{};
    for (size_t c = 0; c < of.size(); ++c) {
      const auto byte = static_cast<uint8_t>(c);
      of[c] = as_quantity(hash_bytes(&byte, 1));
    }
    return of;
  }();
  return quantities;
}

// Bit i is set where bit i - 1 was; `carry` is bit 63 of the block before, then of this one.
uint64_t shifted(uint64_t bits, uint64_t* carry) {
  const uint64_t result = bits << 1 | *carry;
  *carry = bits >> 63;
  return result;
}

}  // namespace

void Scan::reserve(size_t text_length) {
  const size_t room = 64 + folded_room(text_length) + 2 * kPadding;
  if (room > room_.capacity()) {
    room_.at_least(room);
    std::memset(room_.data(), ' ', 64);
    folded_ = room_.data() + 64;
  }
}

// Where tokens and runs of digits begin and end.
void Scan::find_edges(size_t num_blocks) {
  has_signs_ = has_digits_ = false;
  commas_.clear();
  Joints joints;
  uint64_t in_word = 0, in_run = 0, on_sign = 0, digit_before = 0;
  for (size_t block = 0; block < num_blocks; ++block) {
    uint64_t digits = digits_[block];
    uint64_t words = letters_[block] | digits;
    const uint64_t signs = signs_[block] == 0 ? 0 : signs_of(block);
    const uint64_t after_digit = shifted(digits, &digit_before);
    if (joints_[block] & after_digit) {
      const uint64_t next = block + 1 < num_blocks ? digits_[block + 1] << 63 : 0;
      const uint64_t within = joined(block, joints_[block] & after_digit & (digits >> 1 | next), &joints);
      digits |= within;
      words |= within;
    }
    const uint64_t before_word = shifted(words, &in_word);
    const uint64_t before_run = shifted(digits, &in_run);
    starts_[block] = (words & ~before_word) | signs;
    ends_[block] = (~words & before_word) | shifted(signs, &on_sign);
    run_starts_[block] = digits & ~before_run;
    run_ends_[block] = ~digits & before_run;
    signs_[block] = signs;
    has_signs_ |= signs != 0;
    has_digits_ |= digits != 0;
  }
}

uint64_t Scan::signs_of(size_t block) {
  uint64_t found = 0;
  for (uint64_t left = signs_[block]; left != 0; left &= left - 1) {
    if (is_mathematical(folded_ + 64 * block + std::countr_zero(left))) found |= left & -left;
  }
  return found;
}

// Those of the candidates, points and commas between two digits, that are inside a number such as 1,234.5.
uint64_t Scan::joined(size_t block, uint64_t candidates, Joints* joints) {
  uint64_t found = 0;
  for (uint64_t left = candidates; left != 0; left &= left - 1) {
    const size_t at = 64 * block + static_cast<size_t>(std::countr_zero(left));
    size_t run = at;  // the digits before, back to the joint before or to the begin of the word
    while (is_digit(folded_[run - 1])) --run;
    const bool goes_on = joints->last != SIZE_MAX && run == joints->last + 1;
    if (!goes_on) {
      if (is_letter(folded_[run - 1])) continue;  // a name such as v2.5
      *joints = {};
    }
    if (folded_[at] == '.') {
      joints->has_point = true;
    } else {
      const uint8_t* after = folded_ + at + 1;
      if (joints->has_point || (joints->commas == 0 && at - run > 3)) continue;
      if (!is_digit(after[1]) || !is_digit(after[2]) || is_digit(after[3])) continue;
      ++joints->commas;
      commas_.push_back(static_cast<uint32_t>(at));
    }
    joints->last = at;
    found |= left & -left;
  }
  return found;
}

// Hashes of the tokens that begin at first_ and end at last_, in hashes_.
void Scan::hash_tokens(size_t count) {
  isa().hash_tokens(folded_, first_, last_, count, hashes_.data());
  if (!commas_.empty()) rehash_with_commas(count);
}

// Runs of digits, which are few, as tokens; returns their number.
size_t Scan::find_runs(size_t num_blocks) {
  size_t starts = 0, ends = 0;
  for (size_t block = 0; block < num_blocks; ++block) {
    for (uint64_t left = run_starts_[block]; left != 0; left &= left - 1) {
      first_[starts++] = static_cast<uint32_t>(64 * block + static_cast<size_t>(std::countr_zero(left)));
    }
    for (uint64_t left = run_ends_[block]; left != 0; left &= left - 1) {
      last_[ends++] = static_cast<uint32_t>(64 * block + static_cast<size_t>(std::countr_zero(left)));
    }
  }
  assert(starts == ends && "every run ends");
  return starts;
}

// Numbers count without their commas.
void Scan::rehash_with_commas(size_t count) {
  std::vector<uint8_t> number;
  auto comma = commas_.begin();
  for (size_t i = 0; i < count && comma != commas_.end(); ++i) {
    if (last_[i] <= *comma) continue;
    number.clear();
    for (size_t at = first_[i]; at < last_[i]; ++at) {
      if (folded_[at] != ',') number.push_back(folded_[at]);
    }
    hashes_.data()[i] = hash_bytes(number.data(), number.size());
    while (comma != commas_.end() && *comma < last_[i]) ++comma;
  }
}

// Copies the hashes of the tokens that are words, run by run: the signs, few, are at known places.
void Scan::drop_ascii_signs(size_t count, size_t num_blocks) {
  uint64_t* out = word_hashes_.at_least(hashes_.capacity());
  size_t kept = 0, from = 0, before = 0;  // next word in `out`, first token not copied, tokens before the block
  const auto copy_to = [&](size_t sign) {
    std::memcpy(out + kept, hashes_.data() + from, (sign - from) * sizeof(uint64_t));
    kept += sign - from;
    from = sign + 1;
  };
  for (size_t block = 0; block < num_blocks; ++block) {
    const uint64_t starts = starts_[block];
    for (uint64_t left = signs_[block]; left != 0; left &= left - 1) {
      copy_to(before + static_cast<size_t>(std::popcount(starts & ((left & -left) - 1))));
    }
    before += static_cast<size_t>(std::popcount(starts));
  }
  copy_to(count);
  words = {out, kept};
}

// The same where signs outside ASCII may be among them.
void Scan::drop_signs(size_t count) {
  uint64_t* out = word_hashes_.at_least(hashes_.capacity());
  size_t kept = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t lead = folded_[first_[i]];
    out[kept] = hashes_.data()[i];
    kept += static_cast<size_t>(lead != kSignMark && (is_letter(lead) || is_digit(lead)));
  }
  words = {out, kept};
}

void Scan::add_quantities(size_t num_blocks) {
  const std::array<uint64_t, 128>& of_sign = sign_quantities();
  for (size_t block = 0; has_signs_ && block < num_blocks; ++block) {
    for (uint64_t left = signs_[block]; left != 0; left &= left - 1) {
      quantities += of_sign[folded_[64 * block + static_cast<size_t>(std::countr_zero(left))]];
    }
  }
}

void Scan::read(TextView text, const uint32_t* table) {
  assert(text.length <= kMaxText && "callers refuse longer texts");
  reserve(text.length);
  bool has_marks = false;
  const size_t length = fold_text(text.bytes, text.length, table, folded_, &has_marks);
  std::memset(folded_ + length, ' ', kPadding);
  const size_t num_blocks = length / 64 + 1;  // the last one holds a space at least
  uint64_t* bits = bits_.at_least(8 * num_blocks);
  letters_ = bits;
  digits_ = bits + num_blocks;
  signs_ = bits + 2 * num_blocks;
  joints_ = bits + 3 * num_blocks;
  starts_ = bits + 4 * num_blocks;
  ends_ = bits + 5 * num_blocks;
  run_starts_ = bits + 6 * num_blocks;
  run_ends_ = bits + 7 * num_blocks;
  const size_t room = length + 2 * kPadding;  // tokens, at most one to the byte
  first_ = places_.at_least(2 * room);
  last_ = first_ + room;
  hashes_.at_least(room);

  isa().classify(folded_, num_blocks, {letters_, digits_, signs_, joints_});
  find_edges(num_blocks);
  quantities = 0;
  if (has_digits_) {
    const size_t num_runs = find_runs(num_blocks);
    hash_tokens(num_runs);
    for (size_t i = 0; i < num_runs; ++i) quantities += as_quantity(hashes_.data()[i]);
  }
  if (has_signs_) add_quantities(num_blocks);
  const size_t count = isa().positions(starts_, num_blocks, first_);
  [[maybe_unused]] const size_t num_ends = isa().positions(ends_, num_blocks, last_);
  assert(count == num_ends && "every token ends");
  hash_tokens(count);
  tokens = words = {hashes_.data(), count};
  for (size_t i = 0; has_marks && i < count; ++i) {
    if (folded_[first_[i]] == kSignMark) quantities += as_quantity(hashes_.data()[i]);
  }
  if (has_marks) {
    drop_signs(count);
  } else if (has_signs_) {
    drop_ascii_signs(count, num_blocks);
  }
  if (count == 0) {
    key[0] = hash_bytes(text.bytes, text.length, kMultiset + text.length * kLength);
    key[1] = hash_bytes(text.bytes, text.length, kSequence + text.length * kLength);
    return;
  }
  uint64_t sums[2];
  isa().sum_sequence(hashes_.data(), count, sums);
  key[0] = mix64(sums[0] + count);
  key[1] = mix64(sums[1] ^ count);
}

Hashes grams_of(Hashes hashes, size_t n, Buffer<uint64_t>* grams) {
  if (hashes.size < n) return {grams->at_least(kPadding), 0};
  const size_t count = hashes.size - n + 1;
  uint64_t* out = grams->at_least(count + kPadding);
  isa().roll(hashes.data, n, count, out);
  return {out, count};
}

}  // namespace reasonmill
