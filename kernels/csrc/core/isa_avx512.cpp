// The loops of core/isa.h for AVX-512 with VBMI2 (Ice Lake, Zen 4 and later).
#include <bit>
#include <cstring>

#include "core/hash.h"
#include "core/isa.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,popcnt,lzcnt,avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2,prefer-vector-width=512")

namespace reasonmill {
namespace {

constexpr size_t kWidth = 64;   // bytes of a register
constexpr size_t kAtOnce = 8;  // vectors of slots: all 128 in 8 registers, their factors and offsets in 16 more

inline __m512i lower(__m512i v) {
  const __mmask64 upper = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(v, _mm512_set1_epi8('A')), _mm512_set1_epi8(26));
  return _mm512_mask_add_epi8(v, upper, v, _mm512_set1_epi8(0x20));
}

size_t fold_ascii(const uint8_t* text, size_t length, uint8_t* folded) {
  for (size_t at = 0; at < length; at += 64) {
    const size_t left = length - at;
    const __mmask64 inside = left >= 64 ? ~__mmask64{0} : _bzhi_u64(~uint64_t{0}, static_cast<unsigned>(left));
    const __m512i v = _mm512_maskz_loadu_epi8(inside, text + at);
    _mm512_storeu_si512(folded + at, lower(v));
    const uint64_t other = _mm512_movepi8_mask(v);
    if (other != 0) return at + static_cast<size_t>(std::countr_zero(other));
  }
  return length;
}

// A byte is a sign, joint or digit if the tables of its two halves share a bit.
enum : char { kRow2 = 1, kRow3 = 2, kRow5 = 4, kRow7 = 8, kJoint = 16, kDigit = 64, kSign = 15 };

void classify(const uint8_t* folded, size_t num_blocks, const ByteKinds& kinds) {
  constexpr char d = kDigit, r2 = kRow2, r3 = kRow3, r5 = kRow5, r7 = kRow7, j = kJoint;
  const __m512i of_low = _mm512_broadcast_i32x4(_mm_setr_epi8(
      d, d | r2, d, d, d, d | r2, d, d, d, d, r2, r2 | r5, r3 | r7 | j, r2 | r3 | r5, r3 | r5 | j, r2));
  const __m512i of_high =
      _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, r2 | j, r3 | d, 0, r5, 0, r7, 0, 0, 0, 0, 0, 0, 0, 0));
  for (size_t block = 0; block < num_blocks; ++block) {
    const __m512i v = _mm512_loadu_si512(folded + 64 * block);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(15));
    const __m512i of = _mm512_and_si512(_mm512_shuffle_epi8(of_low, v), _mm512_shuffle_epi8(of_high, high));
    kinds.letters[block] =
        _mm512_cmplt_epu8_mask(_mm512_sub_epi8(v, _mm512_set1_epi8('a')), _mm512_set1_epi8(26)) |
        _mm512_movepi8_mask(v);
    kinds.digits[block] = _mm512_test_epi8_mask(of, _mm512_set1_epi8(kDigit));
    kinds.signs[block] = _mm512_test_epi8_mask(of, _mm512_set1_epi8(kSign));
    kinds.joints[block] = _mm512_test_epi8_mask(of, _mm512_set1_epi8(kJoint));
  }
}

size_t positions(const uint64_t* bits, size_t num_blocks, uint32_t* places) {
  alignas(64) static constexpr uint8_t kIota[64] = {
      0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
      22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
      44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
  const __m512i iota = _mm512_load_si512(kIota);
  size_t count = 0;
  for (size_t block = 0; block < num_blocks; ++block) {
    const auto total = static_cast<size_t>(std::popcount(bits[block]));
    __m512i found = _mm512_maskz_compress_epi8(bits[block], iota);
    const __m512i base = _mm512_set1_epi32(static_cast<int>(64 * block));
    for (size_t done = 0;;) {
      const __m512i sixteen = _mm512_cvtepu8_epi32(_mm512_castsi512_si128(found));
      _mm512_storeu_si512(places + count + done, _mm512_add_epi32(sixteen, base));
      done += 16;
      if (done >= total) break;
      found = _mm512_alignr_epi64(found, found, 2);
    }
    count += total;
  }
  return count;
}

// Eight at a time; hits are rare, so that the branch costs less than writing every place.
size_t probe(const uint64_t* hashes, size_t count, const uint64_t* filter, size_t mask, uint32_t* places) {
  const __m512i one = _mm512_set1_epi64(1);
  const __m512i low = _mm512_set1_epi64(63);
  const __m512i words = _mm512_set1_epi64(static_cast<long long>(mask));
  size_t hits = 0;
  for (size_t i = 0; i < count; i += 8) {
    const size_t left = count - i;
    const auto inside = static_cast<__mmask8>(left >= 8 ? 0xFF : (1u << left) - 1);
    const __m512i hash = _mm512_loadu_si512(hashes + i);
    const __m512i at = _mm512_and_si512(_mm512_srli_epi64(hash, 40), words);
    const __m512i held = _mm512_i64gather_epi64(at, filter, 8);
    const __m512i second = _mm512_and_si512(_mm512_srli_epi64(hash, 6), low);
    const __m512i bits = _mm512_or_si512(_mm512_sllv_epi64(one, _mm512_and_si512(hash, low)),
                                         _mm512_sllv_epi64(one, second));
    unsigned found = _mm512_mask_cmpeq_epi64_mask(inside, _mm512_and_si512(held, bits), bits);
    for (; found != 0; found &= found - 1) {
      places[hits++] = static_cast<uint32_t>(i) + static_cast<uint32_t>(std::countr_zero(found));
    }
  }
  return hits;
}

#include "core/isa_loops.h"

}  // namespace

const Isa* isa_avx512() {
  static constexpr Isa isa = made("avx512", probe);
  return &isa;
}

}  // namespace reasonmill

#pragma GCC pop_options
#else
const reasonmill::Isa* reasonmill::isa_avx512() { return nullptr; }
#endif
