// The hash functions of the text kernels. kernels/hashes_reference.py is their twin: a change here is a change there,
// and a new ALGORITHM number in kernels/minhash.py.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace reasonmill {

static_assert(std::endian::native == std::endian::little, "the hashes read bytes little endian");

inline constexpr uint64_t kWordSeed = 0x9E3779B97F4A7C15u;   // golden ratio, as in splitmix64
inline constexpr uint64_t kLength = 0xD6E8FEB86659FD93u;     // rrxmrrxmsx multiplier, P. Evensen
inline constexpr uint64_t kChunk = 0xA0761D6478BD642Fu;      // wyhash secret 0
inline constexpr uint64_t kGram = 0xE7037ED1A0B428DBu;       // wyhash secret 1
inline constexpr uint64_t kSequence = 0x8EBC6AF09C88C6E3u;   // wyhash secret 2
inline constexpr uint64_t kMultiset = 0x589965CC75374CC3u;   // wyhash secret 3

// MurmurHash3's 64-bit finalizer: a bijection.
inline uint64_t mix64(uint64_t h) {
  h ^= h >> 33;
  h *= 0xFF51AFD7ED558CCDu;
  h ^= h >> 33;
  h *= 0xC4CEB9FE1A85EC53u;
  return h ^ (h >> 33);
}

// MurmurHash3's 32-bit finalizer, which datasketch 2.0 applies before its affine32 permutations.
inline uint32_t mix32(uint32_t h) {
  h ^= h >> 16;
  h *= 0x85EBCA6Bu;
  h ^= h >> 13;
  h *= 0xC2B2AE35u;
  return h ^ (h >> 16);
}

// Hash of bytes, 8 at a time, little endian, the last chunk padded with zeros. Up to 8 bytes of one length never collide.
inline uint64_t hash_bytes(const uint8_t* bytes, size_t length, uint64_t seed = kWordSeed) {
  uint64_t h = seed + length * kLength;
  size_t at = 0;
  for (; at + 8 <= length; at += 8) {
    uint64_t chunk;
    std::memcpy(&chunk, bytes + at, 8);
    h = (h ^ chunk) * kChunk;
    h ^= h >> 29;
  }
  if (at < length) {
    uint64_t chunk = 0;
    std::memcpy(&chunk, bytes + at, length - at);
    h = (h ^ chunk) * kChunk;
    h ^= h >> 29;
  }
  return mix64(h);
}

// The same hash where 8 bytes may be read at any `bytes + at` with at < length: no branch on the length of short words.
inline uint64_t hash_padded(const uint8_t* bytes, size_t length) {
  uint64_t h = kWordSeed + length * kLength;
  for (size_t at = 0; at < length; at += 8) {
    uint64_t chunk;
    std::memcpy(&chunk, bytes + at, 8);
    if (length - at < 8) chunk &= (uint64_t{1} << 8 * (length - at)) - 1;
    h = (h ^ chunk) * kChunk;
    h ^= h >> 29;
  }
  return mix64(h);
}

}  // namespace reasonmill
