// The loops of core/isa.h for AVX2.
#include <bit>
#include <cstring>

#include "core/hash.h"
#include "core/isa.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,popcnt,lzcnt")

namespace reasonmill {
namespace {

constexpr size_t kWidth = 32;   // bytes of a register
constexpr size_t kAtOnce = 4;  // vectors of slots; not tuned

inline __m256i lower(__m256i v) {
  // signed: bytes from 0x80 are negative and never above 'A' - 1
  const __m256i upper = _mm256_and_si256(_mm256_cmpgt_epi8(v, _mm256_set1_epi8('A' - 1)),
                                         _mm256_cmpgt_epi8(_mm256_set1_epi8('Z' + 1), v));
  return _mm256_or_si256(v, _mm256_and_si256(upper, _mm256_set1_epi8(0x20)));
}

size_t fold_ascii(const uint8_t* text, size_t length, uint8_t* folded) {
  size_t at = 0;
  for (; at + 32 <= length; at += 32) {
    const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + at));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(folded + at), lower(v));
    const auto other = static_cast<uint32_t>(_mm256_movemask_epi8(v));
    if (other != 0) return at + static_cast<size_t>(std::countr_zero(other));
  }
  for (; at < length && text[at] < 0x80; ++at) {
    const uint8_t c = text[at];
    folded[at] = static_cast<uint8_t>(c | (static_cast<uint8_t>(c - 'A') < 26) << 5);
  }
  return at;
}

// A byte is a sign, joint or digit if the tables of its two halves share a bit.
enum : char { kRow2 = 1, kRow3 = 2, kRow5 = 4, kRow7 = 8, kJoint = 16, kDigit = 64, kSign = 15 };

inline uint64_t bits_of(__m256i low, __m256i high) {
  return static_cast<uint32_t>(_mm256_movemask_epi8(low)) |
         static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(high))) << 32;
}

inline __m256i any_of(__m256i kinds, char wanted) {
  const __m256i none = _mm256_cmpeq_epi8(_mm256_and_si256(kinds, _mm256_set1_epi8(wanted)), _mm256_setzero_si256());
  return _mm256_xor_si256(none, _mm256_set1_epi8(-1));
}

struct Half {
  __m256i kinds, letters;
};

inline Half kinds_of(const uint8_t* bytes) {
  constexpr char d = kDigit, r2 = kRow2, r3 = kRow3, r5 = kRow5, r7 = kRow7, j = kJoint;
  const __m256i of_low = _mm256_setr_epi8(
      d, d | r2, d, d, d, d | r2, d, d, d, d, r2, r2 | r5, r3 | r7 | j, r2 | r3 | r5, r3 | r5 | j, r2,  //
      d, d | r2, d, d, d, d | r2, d, d, d, d, r2, r2 | r5, r3 | r7 | j, r2 | r3 | r5, r3 | r5 | j, r2);
  const __m256i of_high = _mm256_setr_epi8(0, 0, r2 | j, r3 | d, 0, r5, 0, r7, 0, 0, 0, 0, 0, 0, 0, 0,  //
                                           0, 0, r2 | j, r3 | d, 0, r5, 0, r7, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
  const __m256i high = _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(15));
  const __m256i kinds = _mm256_and_si256(_mm256_shuffle_epi8(of_low, v), _mm256_shuffle_epi8(of_high, high));
  const __m256i after_a = _mm256_sub_epi8(v, _mm256_set1_epi8('a'));
  const __m256i is_letter = _mm256_cmpeq_epi8(_mm256_min_epu8(after_a, _mm256_set1_epi8(25)), after_a);
  return {kinds, _mm256_or_si256(is_letter, v)};  // only the top bit of each byte is read
}

void classify(const uint8_t* folded, size_t num_blocks, const ByteKinds& kinds) {
  for (size_t block = 0; block < num_blocks; ++block) {
    const Half low = kinds_of(folded + 64 * block);
    const Half high = kinds_of(folded + 64 * block + 32);
    kinds.letters[block] = bits_of(low.letters, high.letters);
    kinds.digits[block] = bits_of(_mm256_slli_epi16(low.kinds, 1), _mm256_slli_epi16(high.kinds, 1));
    kinds.signs[block] = bits_of(any_of(low.kinds, kSign), any_of(high.kinds, kSign));
    kinds.joints[block] = bits_of(_mm256_slli_epi16(low.kinds, 3), _mm256_slli_epi16(high.kinds, 3));
  }
}

size_t positions(const uint64_t* bits, size_t num_blocks, uint32_t* places) {
  size_t count = 0;
  for (size_t block = 0; block < num_blocks; ++block) {
    uint64_t left = bits[block];
    const auto total = static_cast<size_t>(std::popcount(left));
    const auto base = static_cast<uint32_t>(64 * block);
    // four at a time without asking: what is written too much is overwritten next
    for (size_t done = 0; done < total; done += 4) {
      for (size_t k = 0; k < 4; ++k) {
        places[count + done + k] = base + static_cast<uint32_t>(_tzcnt_u64(left));
        left = _blsr_u64(left);
      }
    }
    count += total;
  }
  return count;
}

#include "core/isa_loops.h"

}  // namespace

const Isa* isa_avx2() {
  static constexpr Isa isa = made("avx2", probe_each);
  return &isa;
}

}  // namespace reasonmill

#pragma GCC pop_options
#else
const reasonmill::Isa* reasonmill::isa_avx2() { return nullptr; }
#endif
