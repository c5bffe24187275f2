#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace reasonmill {

// Memory for `T` that begins on a cache line and only ever grows; growing forgets what it held.
template <typename T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t count) { at_least(count); }

  T* at_least(size_t count) {
    if (count > capacity_) {
      data_.reset();
      capacity_ = count + count / 2;
      data_.reset(static_cast<T*>(::operator new(capacity_ * sizeof(T), std::align_val_t{64})));
    }
    return data_.get();
  }

  T* data() const { return data_.get(); }
  size_t capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  std::unique_ptr<T[], Free> data_;
  size_t capacity_ = 0;
};

}  // namespace reasonmill
