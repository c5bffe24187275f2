// Python bindings of the row planner and of the store that rows are copied from.
#include "rows.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "arrays.h"
#include "core/best_fit.h"
#include "core/copy_pieces.h"

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
    std::vector<Piece> pieces;
    size_t total = 0;
    for (size_t i = 0; i < indices.shape(0); ++i) {
      const int64_t index = indices.data()[i];
      add_row(index, pieces, total);
      if (total > out.shape(0)) {
        throw nb::value_error(("out is full before the end of row " + std::to_string(index)).c_str());
      }
    }
    nb::gil_scoped_release release;
    copy_pieces(pieces.data(), pieces.size(), out.data());
    return total;
  }

 private:
  // Appends the row's documents to `pieces` and their tokens to `total`.
  void add_row(int64_t index, std::vector<Piece>& pieces, size_t& total) const {
    if (index < 0 || static_cast<size_t>(index) >= rows_.shape(0)) {
      const std::string which = std::to_string(index) + " of " + std::to_string(rows_.shape(0));
      throw nb::index_error(("row " + which).c_str());
    }
    const size_t begin = index > 0 ? rows_.data()[2 * (index - 1)] : 0;
    const size_t end = std::min<size_t>(rows_.data()[2 * index], members_.shape(0));
    for (size_t member = begin; member < end; ++member) {
      const uint32_t document = members_.data()[member];
      const uint64_t* entry = documents_.data() + 3 * size_t{document};
      if (document >= documents_.shape(0) || entry[0] > tokens_.shape(0) ||
          (entry[2] & 0xFFFFFFFFu) > tokens_.shape(0) - entry[0]) {
        const std::string which = std::to_string(document) + " of row " + std::to_string(index);
        throw nb::value_error(("document " + which + " is outside of the tokens").c_str());
      }
      pieces.push_back({tokens_.data() + entry[0], entry[2] & 0xFFFFFFFFu});
      total += pieces.back().length;
    }
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
