#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace reasonmill {

// An array of uint32 that begins on a cache line, as the vector loops want it.
class AlignedSlots {
 public:
  explicit AlignedSlots(size_t count)
      : data_(static_cast<uint32_t*>(::operator new(count * sizeof(uint32_t), std::align_val_t{64}))) {}

  uint32_t* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(uint32_t* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::unique_ptr<uint32_t[], Free> data_;
};

}  // namespace reasonmill
