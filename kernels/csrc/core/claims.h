// The order in which texts claim to be kept.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/scan.h"

namespace reasonmill {

// By rank where ranks are given. Else by content alone, so that arrival does not matter: by key, of equal keys by
// bytes; texts of the same bytes are interchangeable, and the first of them goes first.
class Claims {
 public:
  Claims(const std::vector<TextView>& texts, const uint64_t* key, const int64_t* rank)
      : texts_(texts), key_(key), rank_(rank) {}

  bool before(uint32_t left, uint32_t right) const {
    if (rank_ != nullptr) return rank_[left] < rank_[right];
    for (size_t half = 0; half < 2; ++half) {
      const uint64_t l = key_[2 * left + half];
      const uint64_t r = key_[2 * right + half];
      if (l != r) return l < r;
    }
    const TextView& one = texts_[left];
    const TextView& other = texts_[right];
    const size_t length = std::min(one.length, other.length);
    const int order = length == 0 ? 0 : std::memcmp(one.bytes, other.bytes, length);
    if (order != 0) return order < 0;
    return one.length != other.length ? one.length < other.length : left < right;
  }

 private:
  const std::vector<TextView>& texts_;
  const uint64_t* key_;  // [N, 2]
  const int64_t* rank_;
};

}  // namespace reasonmill
