// The loops of core/isa.h as any compiler makes them for any machine.
#include <array>
#include <bit>
#include <cstring>

#include "core/hash.h"
#include "core/isa.h"

namespace reasonmill {
namespace {

constexpr size_t kWidth = 16;   // bytes of a register
constexpr size_t kAtOnce = 2;  // vectors of slots; not tuned

enum : uint8_t { kLetter = 1, kDigit = 2, kSign = 4, kJoint = 8 };

constexpr std::array<uint8_t, 256> byte_kinds() {
  std::array<uint8_t, 256> kinds{};
  for (size_t c = 'a'; c <= 'z'; ++c) kinds[c] = kLetter;
  for (size_t c = 0x80; c < 0x100; ++c) kinds[c] = kLetter;
  for (size_t c = '0'; c <= '9'; ++c) kinds[c] = kDigit;
  for (const char c : {'+', '-', '*', '/', '=', '<', '>', '^', '%', '|', '!', '[', ']'}) {
    kinds[static_cast<uint8_t>(c)] = kSign;
  }
  kinds['.'] = kinds[','] = kJoint;
  return kinds;
}
constexpr std::array<uint8_t, 256> kKinds = byte_kinds();

size_t fold_ascii(const uint8_t* text, size_t length, uint8_t* folded) {
  size_t at = 0;
  for (; at < length && text[at] < 0x80; ++at) {
    const uint8_t c = text[at];
    folded[at] = static_cast<uint8_t>(c | (static_cast<uint8_t>(c - 'A') < 26) << 5);
  }
  return at;
}

void classify(const uint8_t* folded, size_t num_blocks, const ByteKinds& kinds) {
  for (size_t block = 0; block < num_blocks; ++block) {
    uint64_t letters = 0, digits = 0, signs = 0, joints = 0;
    for (size_t i = 0; i < 64; ++i) {
      const uint64_t kind = kKinds[folded[64 * block + i]];
      letters |= (kind & 1) << i;
      digits |= (kind >> 1 & 1) << i;
      signs |= (kind >> 2 & 1) << i;
      joints |= (kind >> 3 & 1) << i;
    }
    kinds.letters[block] = letters;
    kinds.digits[block] = digits;
    kinds.signs[block] = signs;
    kinds.joints[block] = joints;
  }
}

size_t positions(const uint64_t* bits, size_t num_blocks, uint32_t* places) {
  size_t count = 0;
  for (size_t block = 0; block < num_blocks; ++block) {
    for (uint64_t left = bits[block]; left != 0; left &= left - 1) {
      places[count++] = static_cast<uint32_t>(64 * block + static_cast<size_t>(std::countr_zero(left)));
    }
  }
  return count;
}

#include "core/isa_loops.h"

}  // namespace

const Isa* isa_portable() {
  static constexpr Isa isa = made("portable", probe_each);
  return &isa;
}

}  // namespace reasonmill
