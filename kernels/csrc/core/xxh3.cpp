#include "core/xxh3.h"

#include <bit>
#include <cassert>
#include <cstring>

namespace reasonmill {
namespace {

static_assert(std::endian::native == std::endian::little, "the hash reads words little endian");

constexpr uint64_t kPrime32[] = {0x9E3779B1u, 0x85EBCA77u, 0xC2B2AE3Du};
constexpr uint64_t kPrime64[] = {0x9E3779B185EBCA87u, 0xC2B2AE3D27D4EB4Fu, 0x165667B19E3779F9u, 0x85EBCA77C2B2AE63u,
                                 0x27D4EB2F165667C5u};
constexpr size_t kStripe = 64, kLanes = 8, kSecretSize = 192;
constexpr size_t kStripesOfBlock = (kSecretSize - kStripe) / 8;

constexpr uint8_t kSecret[kSecretSize] = {
    0xB8, 0xFE, 0x6C, 0x39, 0x23, 0xA4, 0x4B, 0xBE, 0x7C, 0x01, 0x81, 0x2C, 0xF7, 0x21, 0xAD, 0x1C, 0xDE, 0xD4, 0x6D,
    0xE9, 0x83, 0x90, 0x97, 0xDB, 0x72, 0x40, 0xA4, 0xA4, 0xB7, 0xB3, 0x67, 0x1F, 0xCB, 0x79, 0xE6, 0x4E, 0xCC, 0xC0,
    0xE5, 0x78, 0x82, 0x5A, 0xD0, 0x7D, 0xCC, 0xFF, 0x72, 0x21, 0xB8, 0x08, 0x46, 0x74, 0xF7, 0x43, 0x24, 0x8E, 0xE0,
    0x35, 0x90, 0xE6, 0x81, 0x3A, 0x26, 0x4C, 0x3C, 0x28, 0x52, 0xBB, 0x91, 0xC3, 0x00, 0xCB, 0x88, 0xD0, 0x65, 0x8B,
    0x1B, 0x53, 0x2E, 0xA3, 0x71, 0x64, 0x48, 0x97, 0xA2, 0x0D, 0xF9, 0x4E, 0x38, 0x19, 0xEF, 0x46, 0xA9, 0xDE, 0xAC,
    0xD8, 0xA8, 0xFA, 0x76, 0x3F, 0xE3, 0x9C, 0x34, 0x3F, 0xF9, 0xDC, 0xBB, 0xC7, 0xC7, 0x0B, 0x4F, 0x1D, 0x8A, 0x51,
    0xE0, 0x4B, 0xCD, 0xB4, 0x59, 0x31, 0xC8, 0x9F, 0x7E, 0xC9, 0xD9, 0x78, 0x73, 0x64, 0xEA, 0xC5, 0xAC, 0x83, 0x34,
    0xD3, 0xEB, 0xC3, 0xC5, 0x81, 0xA0, 0xFF, 0xFA, 0x13, 0x63, 0xEB, 0x17, 0x0D, 0xDD, 0x51, 0xB7, 0xF0, 0xDA, 0x49,
    0xD3, 0x16, 0x55, 0x26, 0x29, 0xD4, 0x68, 0x9E, 0x2B, 0x16, 0xBE, 0x58, 0x7D, 0x47, 0xA1, 0xFC, 0x8F, 0xF8, 0xB8,
    0xD1, 0x7A, 0xD0, 0x31, 0xCE, 0x45, 0xCB, 0x3A, 0x8F, 0x95, 0x16, 0x04, 0x28, 0xAF, 0xD7, 0xFB, 0xCA, 0xBB, 0x4B,
    0x40, 0x7E,
};

uint64_t word(const uint8_t* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

uint64_t folded_product(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t avalanche(uint64_t h) {
  h ^= h >> 37;
  h *= 0x165667919E3779F9u;
  return h ^ (h >> 32);
}

uint64_t mix16(const uint8_t* in, const uint8_t* secret) {
  return folded_product(word(in) ^ word(secret), word(in + 8) ^ word(secret + 8));
}

// Two times 16 bytes into the two halves.
void mix32(const uint8_t* one, const uint8_t* other, const uint8_t* secret, Hash128* sums) {
  sums->low = (sums->low + mix16(one, secret)) ^ (word(other) + word(other + 8));
  sums->high = (sums->high + mix16(other, secret + 16)) ^ (word(one) + word(one + 8));
}

Hash128 finished(Hash128 sums, size_t length) {
  const uint64_t mixed = sums.low * kPrime64[0] + sums.high * kPrime64[3] + length * kPrime64[1];
  return {.high = 0 - avalanche(mixed), .low = avalanche(sums.low + sums.high)};
}

// 17 to 128 bytes: pairs of 16 from both ends, the innermost first.
Hash128 of_short(const uint8_t* in, size_t length) {
  Hash128 sums{.high = 0, .low = length * kPrime64[0]};
  for (size_t pair = (length - 1) / 32 + 1; pair-- > 0;) {
    mix32(in + 16 * pair, in + length - 16 * (pair + 1), kSecret + 32 * pair, &sums);
  }
  return finished(sums, length);
}

// 129 to 240 bytes.
Hash128 of_medium(const uint8_t* in, size_t length) {
  Hash128 sums{.high = 0, .low = length * kPrime64[0]};
  for (size_t at = 0; at < 128; at += 32) mix32(in + at, in + at + 16, kSecret + at, &sums);
  sums = {.high = avalanche(sums.high), .low = avalanche(sums.low)};
  for (size_t at = 128; at + 32 <= length; at += 32) mix32(in + at, in + at + 16, kSecret + 3 + at - 128, &sums);
  // the last 32 bytes, with the secret that the specification takes for them, which is 136 long there
  mix32(in + length - 16, in + length - 32, kSecret + 136 - 17 - 16, &sums);
  return finished(sums, length);
}

void accumulate(const uint8_t* in, const uint8_t* secret, uint64_t* lanes) {
  uint64_t values[kLanes], keys[kLanes];
  std::memcpy(values, in, sizeof values);
  std::memcpy(keys, secret, sizeof keys);
  for (size_t lane = 0; lane < kLanes; ++lane) keys[lane] ^= values[lane];
  for (size_t lane = 0; lane < kLanes; ++lane) {
    lanes[lane] += values[lane ^ 1] + (keys[lane] & 0xFFFFFFFFu) * (keys[lane] >> 32);
  }
}

uint64_t merged(const uint64_t* lanes, const uint8_t* secret, uint64_t sum) {
  for (size_t lane = 0; lane < kLanes; lane += 2) {
    sum += folded_product(lanes[lane] ^ word(secret + 8 * lane), lanes[lane + 1] ^ word(secret + 8 * lane + 8));
  }
  return avalanche(sum);
}

// More than 240 bytes: eight lanes over stripes of 64 bytes, scrambled behind each block of 16.
Hash128 of_long(const uint8_t* in, size_t length) {
  uint64_t lanes[kLanes] = {kPrime32[2], kPrime64[0], kPrime64[1], kPrime64[2],
                            kPrime64[3], kPrime32[1], kPrime64[4], kPrime32[0]};
  const size_t num_stripes = (length - 1) / kStripe;  // the last bytes are a stripe of their own
  for (size_t stripe = 0; stripe < num_stripes; ++stripe) {
    accumulate(in + kStripe * stripe, kSecret + 8 * (stripe % kStripesOfBlock), lanes);
    if ((stripe + 1) % kStripesOfBlock != 0) continue;
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const uint64_t key = word(kSecret + kSecretSize - kStripe + 8 * lane);
      lanes[lane] = (lanes[lane] ^ (lanes[lane] >> 47) ^ key) * kPrime32[0];
    }
  }
  accumulate(in + length - kStripe, kSecret + kSecretSize - kStripe - 7, lanes);
  return {.high = merged(lanes, kSecret + kSecretSize - kStripe - 11, ~(length * kPrime64[1])),
          .low = merged(lanes, kSecret + 11, length * kPrime64[0])};
}

}  // namespace

Hash128 xxh3_128(const uint8_t* bytes, size_t length) {
  assert(length >= kLeastHashed && "shorter inputs are hashed by other formulas");
  if (length <= 128) return of_short(bytes, length);
  if (length <= 240) return of_medium(bytes, length);
  return of_long(bytes, length);
}

}  // namespace reasonmill
