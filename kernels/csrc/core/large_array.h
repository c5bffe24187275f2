// An array without initial values; a large one on huge pages where the system has them, since touching it for the first
// time costs a fault for each page.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace reasonmill {

template <typename T>
class LargeArray {
 public:
  explicit LargeArray(size_t count)
      : data_(static_cast<T*>(::operator new(count * sizeof(T), alignment(count * sizeof(T)))),
              Free{alignment(count * sizeof(T))}) {
#if defined(__linux__)
    if (count * sizeof(T) >= kHugePage) madvise(data_.get(), count * sizeof(T), MADV_HUGEPAGE);  // a wish: may fail
#endif
  }

  T* get() const { return data_.get(); }
  T& operator[](size_t at) const { return data_[at]; }

 private:
  static constexpr size_t kHugePage = size_t{1} << 21;

  static std::align_val_t alignment(size_t bytes) { return std::align_val_t{bytes >= kHugePage ? kHugePage : 64}; }

  struct Free {
    std::align_val_t alignment;
    void operator()(T* p) const { ::operator delete(p, alignment); }
  };
  std::unique_ptr<T[], Free> data_;
};

}  // namespace reasonmill
