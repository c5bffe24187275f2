// Python bindings of the row planner and of the store that rows are copied from.
#include "rows.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "arrays.h"
#include "core/best_fit.h"
#include "core/copy_rows.h"
#include "core/watched_files.h"

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

// The arrays of a mapped set of rows (kernels/row_store.py).
class RowStore {
 public:
  RowStore(In<uint32_t, 1> tokens, In<uint8_t, 1> target_bits, In<uint64_t, 2> documents, In<uint32_t, 1> members,
           In<uint64_t, 2> rows, const std::vector<std::pair<std::string, int64_t>>& files)
      : files_(files),
        tokens_(std::move(tokens)),
        target_bits_(std::move(target_bits)),
        documents_(std::move(documents)),
        members_(std::move(members)),
        rows_(std::move(rows)) {
    if (documents_.shape(1) != 3 || rows_.shape(1) != 2) throw nb::value_error("documents [N, 3] and rows [R, 2] needed");
  }

  std::pair<Out<uint32_t, 1>, Out<int32_t, 1>> documents_of(In<int64_t, 1> indices) const {
    const Found found = find(indices, std::numeric_limits<int32_t>::max());
    auto documents = new_vector<uint32_t>(found.pieces.size());
    auto ends = new_vector<int32_t>(found.pieces.size() + 1);
    uint32_t* to = documents.data();
    for (size_t i = 0; i < indices.shape(0); ++i) {
      const auto [begin, end] = members_of(indices.data()[i]);
      to = std::copy(members_.data() + begin, members_.data() + end, to);
    }
    ends.data()[0] = 0;
    for (size_t i = 0; i < found.pieces.size(); ++i) {
      ends.data()[i + 1] = ends.data()[i] + static_cast<int32_t>(found.pieces[i].length);
    }
    return {std::move(documents), std::move(ends)};
  }

  size_t copy_rows(In<int64_t, 1> indices, Into<uint32_t> out) const {
    const Found found = find(indices, out.shape(0));
    nb::gil_scoped_release release;
    copy_pieces(found.pieces.data(), found.pieces.size(), out.data());
    return found.tokens;
  }

  size_t label_rows(In<int64_t, 1> indices, Into<int64_t> input_ids, Into<int64_t> position_ids,
                    Into<int64_t> labels) const {
    const Found found = find(indices, std::min({input_ids.shape(0), position_ids.shape(0), labels.shape(0)}));
    nb::gil_scoped_release release;
    label_pieces(found.pieces.data(), found.masks.data(), found.pieces.size(), input_ids.data(), position_ids.data(),
                 labels.data());
    return found.tokens;
  }

 private:
  // Documents of rows, end to end.
  struct Found {
    std::vector<Piece> pieces;
    std::vector<const uint8_t*> masks;
    size_t tokens = 0;
  };

  // Members of a row: from, to.
  struct Members {
    size_t begin;
    size_t end;
  };

  // In passes, each of which fetches what the next one reads: one after another the entries of the documents, which lie
  // apart, would take a fifth of the time of a copy.
  Found find(const In<int64_t, 1>& indices, size_t room) const {
    if (!files_.whole()) throw nb::value_error("a file of the store is shorter than it was");
    const size_t count = indices.shape(0);
    for (size_t i = 0; i < count; ++i) __builtin_prefetch(rows_.data() + 2 * std::max<int64_t>(indices.data()[i] - 1, 0));
    std::vector<Members> rows(count);
    for (size_t i = 0; i < count; ++i) {
      rows[i] = members_of(indices.data()[i]);
      __builtin_prefetch(members_.data() + rows[i].begin);
    }
    size_t documents = 0;
    for (const auto [begin, end] : rows) {
      for (size_t member = begin; member < end; ++member) {
        __builtin_prefetch(documents_.data() + 3 * size_t{members_.data()[member]});
      }
      documents += end - begin;
    }
    Found found;
    found.pieces.reserve(documents);
    found.masks.reserve(documents);
    for (size_t i = 0; i < count; ++i) add_row(indices.data()[i], rows[i], room, found);
    return found;
  }

  Members members_of(int64_t index) const {
    if (index < 0 || static_cast<size_t>(index) >= rows_.shape(0)) {
      const std::string which = std::to_string(index) + " of " + std::to_string(rows_.shape(0));
      throw nb::index_error(("row " + which).c_str());
    }
    const size_t end = std::min<size_t>(rows_.data()[2 * index], members_.shape(0));
    return {.begin = index > 0 ? std::min<size_t>(rows_.data()[2 * (index - 1)], end) : 0, .end = end};
  }

  void add_row(int64_t index, Members members, size_t room, Found& found) const {
    for (size_t member = members.begin; member < members.end; ++member) {
      const uint32_t document = members_.data()[member];
      const uint64_t* entry = documents_.data() + 3 * size_t{document};
      if (document >= documents_.shape(0) || !inside(entry)) {
        const std::string which = std::to_string(document) + " of row " + std::to_string(index);
        throw nb::value_error(("document " + which + " is outside of the tokens").c_str());
      }
      const size_t length = entry[2] & 0xFFFFFFFFu;
      found.pieces.push_back({tokens_.data() + entry[0], length});
      found.masks.push_back(target_bits_.data() + entry[1]);
      found.tokens += length;
    }
    if (found.tokens > room) {
      throw nb::value_error(("out is full before the end of row " + std::to_string(index)).c_str());
    }
  }

  bool inside(const uint64_t* entry) const {
    const uint64_t length = entry[2] & 0xFFFFFFFFu;
    const uint64_t mask = (length + 7) / 8;
    return length <= tokens_.shape(0) && entry[0] <= tokens_.shape(0) - length && mask <= target_bits_.shape(0) &&
           entry[1] <= target_bits_.shape(0) - mask;
  }

  WatchedFiles files_;
  In<uint32_t, 1> tokens_;
  In<uint8_t, 1> target_bits_;
  In<uint64_t, 2> documents_;
  In<uint32_t, 1> members_;
  In<uint64_t, 2> rows_;
};

}  // namespace

void bind_rows(nb::module_& m) {
  m.def("best_fit_decreasing", &plan_decreasing, "lengths"_a, "capacity"_a, "row_of"_a, "offset_of"_a);
  m.def("best_fit_in_order", &plan_in_order, "lengths"_a, "order"_a, "capacity"_a, "row_of"_a, "offset_of"_a);
  nb::class_<RowStore>(m, "RowStore")
      .def(nb::init<In<uint32_t, 1>, In<uint8_t, 1>, In<uint64_t, 2>, In<uint32_t, 1>, In<uint64_t, 2>,
                    const std::vector<std::pair<std::string, int64_t>>&>(),
           "tokens"_a, "target_bits"_a, "documents"_a, "members"_a, "rows"_a, "files"_a)
      .def("documents_of", &RowStore::documents_of, "indices"_a)
      .def("copy_rows", &RowStore::copy_rows, "indices"_a, "out"_a)
      .def("label_rows", &RowStore::label_rows, "indices"_a, "input_ids"_a, "position_ids"_a, "labels"_a);
}

}  // namespace reasonmill
