// The hash functions of the text kernels. kernels/hashes_reference.py is their twin: a change here is a change there,
// and a new ALGORITHM number in kernels/minhash.py.
#pragma once

#include <bit>
#include <cstddef>
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

// One step of hash_bytes over 16 bytes, and its end; core/isa_loops.h has them for vectors.
inline uint64_t absorb(uint64_t h, uint64_t low, uint64_t high) {
  h = (h ^ low) * kChunk;
  h ^= h >> 32;
  h = (h ^ high) * kSequence;
  return h ^ (h >> 29);
}

inline uint64_t finish_hash(uint64_t h) {
  h *= kGram;
  return h ^ (h >> 32);
}

// Hash of bytes, 16 at a time as two little endian words, the last ones padded with zeros.
inline uint64_t hash_bytes(const uint8_t* bytes, size_t length, uint64_t seed = kWordSeed) {
  uint64_t h = seed;
  for (size_t at = 0; at < length; at += 16) {
    uint64_t words[2] = {0, 0};
    std::memcpy(words, bytes + at, length - at < 16 ? length - at : 16);
    h = absorb(h, words[0], words[1]);
  }
  return finish_hash(h);
}

// What one number or sign adds to the multiset of them.
inline uint64_t as_quantity(uint64_t token_hash) { return mix64(token_hash ^ kMultiset); }

}  // namespace reasonmill
