#include "core/known.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "core/parallel.h"

namespace reasonmill {
namespace {

constexpr size_t kBlock = size_t{1} << 16;  // known keys
constexpr size_t kAhead = 16;               // known keys; not tuned

// Open addressing over keys that are uniform already; 0 is no key.
class KeySet {
 public:
  KeySet(const uint64_t* keys, size_t count) : slots_(std::bit_ceil(2 * count + 16)) {
    for (size_t i = 0; i < count; ++i) {
      size_t at = keys[i] & mask();
      while (slots_[at] != 0 && slots_[at] != keys[i]) at = (at + 1) & mask();
      slots_[at] = keys[i];
    }
  }

  void prefetch(uint64_t key) const { __builtin_prefetch(&slots_[key & mask()]); }

  bool contains(uint64_t key) const {
    for (size_t at = key & mask(); slots_[at] != 0; at = (at + 1) & mask()) {
      if (slots_[at] == key) return true;
    }
    return false;
  }

 private:
  size_t mask() const { return slots_.size() - 1; }

  std::vector<uint64_t> slots_;
};

}  // namespace

void mark_known(const uint64_t* known, size_t num_known, const uint64_t* keys, size_t num_keys, size_t threads,
                uint8_t* marks) {
  const KeySet set(keys, num_keys);
  parallel_blocks(num_known, kBlock, threads, [&](size_t begin, size_t end, size_t) {
    for (size_t i = begin; i < end; ++i) {
      if (i + kAhead < end) set.prefetch(known[i + kAhead]);
      if (known[i] != 0 && set.contains(known[i])) marks[i] = 1;
    }
  });
}

}  // namespace reasonmill
