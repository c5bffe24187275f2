// NumPy arrays in and out.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace reasonmill {

template <typename T, size_t D>
using In = nanobind::ndarray<const T, nanobind::ndim<D>, nanobind::c_contig, nanobind::device::cpu>;

template <typename T, size_t D>
using Out = nanobind::ndarray<nanobind::numpy, T, nanobind::ndim<D>, nanobind::c_contig>;

template <typename T>
T* new_array(size_t count, nanobind::capsule* owner) {
  T* data = new T[count];
  *owner = nanobind::capsule(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return data;
}

template <typename T>
Out<T, 1> new_vector(size_t count) {
  nanobind::capsule owner;
  T* data = new_array<T>(count, &owner);
  return Out<T, 1>(data, {count}, owner);
}

template <typename T>
Out<T, 2> new_matrix(size_t rows, size_t columns) {
  nanobind::capsule owner;
  T* data = new_array<T>(rows * columns, &owner);
  return Out<T, 2>(data, {rows, columns}, owner);
}

// The values themselves, without a copy.
template <typename T>
Out<T, 1> taken(std::vector<T>&& values) {
  auto* held = new std::vector<T>(std::move(values));
  if (held->empty()) held->reserve(1);  // an array has an address, even an empty one
  nanobind::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Out<T, 1>(held->data(), {held->size()}, owner);
}

template <typename T>
Out<T, 2> taken(std::vector<T>&& values, size_t rows, size_t columns) {
  auto* held = new std::vector<T>(std::move(values));
  if (held->empty()) held->reserve(1);  // an array has an address, even an empty one
  nanobind::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Out<T, 2>(held->data(), {rows, columns}, owner);
}

template <typename T, typename S>
Out<T, 1> as_vector(const std::vector<S>& values) {
  auto array = new_vector<T>(values.size());
  std::copy(values.begin(), values.end(), array.data());
  return array;
}

}  // namespace reasonmill
