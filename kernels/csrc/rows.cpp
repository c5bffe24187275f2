// Python bindings of the row planner and of the store that rows are copied from.
#include "rows.h"

#include <algorithm>
#include <string>
#include <utility>

#include "arrays.h"
#include "core/best_fit.h"
#include "core/copy_ahead.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace reasonmill {
namespace {

template <typename T>
using Into = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

int32_t plan_decreasing(In<int64_t, 1> lengths, int64_t capacity, Into<int32_t> row_of, Into<int32_t> offset_of) {
  nb::gil_scoped_release release;
  return best_fit_decreasing(lengths.data(), lengths.shape(0), capacity, row_of.data(), offset_of.data());
}

int32_t plan_in_order(In<int64_t, 1> lengths, In<int64_t, 1> order, int64_t capacity, Into<int32_t> row_of,
                      Into<int32_t> offset_of) {
  nb::gil_scoped_release release;
  return best_fit_in_order(lengths.data(), order.data(), lengths.shape(0), capacity, row_of.data(), offset_of.data());
}

// The four arrays of a mapped set of rows (kernels/row_store.py).
class RowStore {
 public:
  RowStore(In<uint32_t, 1> tokens, In<uint64_t, 2> documents, In<uint32_t, 1> members, In<uint64_t, 2> rows)
      : tokens_(std::move(tokens)),
        documents_(std::move(documents)),
        members_(std::move(members)),
        rows_(std::move(rows)) {
    if (documents_.shape(1) != 3 || rows_.shape(1) != 2) throw nb::value_error("documents [N, 3] and rows [R, 2] needed");
  }

  size_t copy_rows(In<int64_t, 1> indices, Into<uint32_t> out) const {
    size_t total = 0;
    for (size_t i = 0; i < indices.shape(0); ++i) {
      total += copy_row(indices.data()[i], out.data() + total, out.shape(0) - total);
    }
    return total;
  }

 private:
  struct Piece {
    const uint32_t* tokens = nullptr;
    size_t length = 0;
  };

  // Returns how many tokens the row has.
  size_t copy_row(int64_t index, uint32_t* to, size_t room) const {
    if (index < 0 || static_cast<size_t>(index) >= rows_.shape(0)) {
      throw nb::value_error(("there is no row " + std::to_string(index)).c_str());
    }
    const size_t begin = index > 0 ? rows_.data()[2 * (index - 1)] : 0;
    const size_t end = std::min<size_t>(rows_.data()[2 * index], members_.shape(0));
    size_t total = 0;
    Piece piece = begin < end ? find(members_.data()[begin]) : Piece{};
    for (size_t member = begin; member < end; ++member) {
      if (piece.tokens == nullptr) {
        const std::string which = std::to_string(members_.data()[member]) + " of row " + std::to_string(index);
        throw nb::value_error(("document " + which + " is outside of the tokens").c_str());
      }
      if (total + piece.length > room) {
        throw nb::value_error(("out is full before the end of row " + std::to_string(index)).c_str());
      }
      const Piece next = member + 1 < end ? find(members_.data()[member + 1]) : Piece{};
      copy_ahead(piece.tokens, to + total, piece.length, next.tokens, next.length);
      total += piece.length;
      piece = next;
    }
    return total;
  }

  // A document's tokens; none where it lies outside of them.
  Piece find(uint32_t document) const {
    if (document >= documents_.shape(0)) return {};
    const uint64_t* entry = documents_.data() + 3 * size_t{document};
    const uint64_t length = entry[2] & 0xFFFFFFFFu;
    if (entry[0] + length > tokens_.shape(0)) return {};
    return {tokens_.data() + entry[0], length};
  }

  In<uint32_t, 1> tokens_;
  In<uint64_t, 2> documents_;
  In<uint32_t, 1> members_;
  In<uint64_t, 2> rows_;
};

}  // namespace

void bind_rows(nb::module_& m) {
  m.def("best_fit_decreasing", &plan_decreasing, "lengths"_a, "capacity"_a, "row_of"_a, "offset_of"_a);
  m.def("best_fit_in_order", &plan_in_order, "lengths"_a, "order"_a, "capacity"_a, "row_of"_a, "offset_of"_a);
  nb::class_<RowStore>(m, "RowStore")
      .def(nb::init<In<uint32_t, 1>, In<uint64_t, 2>, In<uint32_t, 1>, In<uint64_t, 2>>(), "tokens"_a, "documents"_a,
           "members"_a, "rows"_a)
      .def("copy_rows", &RowStore::copy_rows, "indices"_a, "out"_a);
}

}  // namespace reasonmill
