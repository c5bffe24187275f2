// Python bindings. Arguments are checked by the Python wrappers (kernels/*.py); the interpreter's lock is released
// while texts are read.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/aligned.h"
#include "core/characters.h"
#include "core/duplicates.h"
#include "core/minhash.h"
#include "core/ngram_index.h"
#include "core/parallel.h"
#include "core/scan.h"
#include "texts.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace reasonmill {
namespace {

constexpr size_t kBlock = 256;  // texts

template <typename T, size_t D>
using In = nb::ndarray<const T, nb::ndim<D>, nb::c_contig, nb::device::cpu>;

template <typename T, size_t D>
using Out = nb::ndarray<nb::numpy, T, nb::ndim<D>, nb::c_contig>;

template <typename T>
T* new_array(size_t count, nb::capsule* owner) {
  T* data = new T[count];
  *owner = nb::capsule(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
  return data;
}

template <typename T>
Out<T, 1> new_vector(size_t count) {
  nb::capsule owner;
  T* data = new_array<T>(count, &owner);
  return Out<T, 1>(data, {count}, owner);
}

template <typename T>
Out<T, 2> new_matrix(size_t rows, size_t columns) {
  nb::capsule owner;
  T* data = new_array<T>(rows * columns, &owner);
  return Out<T, 2>(data, {rows, columns}, owner);
}

template <typename T>
Out<T, 1> as_vector(const std::vector<T>& values) {
  auto array = new_vector<T>(values.size());
  std::copy(values.begin(), values.end(), array.data());
  return array;
}

// The affine permutations, padded to whole vectors.
struct Permutations {
  size_t padded;
  AlignedSlots a;
  AlignedSlots b;

  Permutations(In<uint32_t, 1> factors, In<uint32_t, 1> offsets)
      : padded((factors.shape(0) + kLanes - 1) / kLanes * kLanes), a(padded), b(padded) {
    std::fill_n(a.data(), padded, 1);
    std::fill_n(b.data(), padded, 0);
    std::copy_n(factors.data(), factors.shape(0), a.data());
    std::copy_n(offsets.data(), offsets.shape(0), b.data());
  }
};

Out<uint32_t, 2> signatures(nb::handle sequence, size_t ngram, In<uint32_t, 1> a, In<uint32_t, 1> b,
                            In<uint32_t, 1> table, size_t threads) {
  const Texts texts(sequence);
  const Permutations permutations(a, b);
  const size_t num_perm = a.shape(0);
  auto slots = new_matrix<uint32_t>(texts.views().size(), num_perm);
  uint32_t* out = slots.data();
  nb::gil_scoped_release release;
  parallel_blocks(texts.views().size(), kBlock, threads, [&](size_t begin, size_t end, size_t) {
    Scan scan;
    std::vector<uint64_t> grams;
    std::vector<uint32_t> mixed;
    const AlignedSlots row(permutations.padded);
    for (size_t text = begin; text < end; ++text) {
      scan_text(texts.views()[text], table.data(), &scan);
      grams_of(scan.words, ngram, &grams);
      minhash(grams, permutations.a.data(), permutations.b.data(), permutations.padded, &mixed, row.data());
      std::copy_n(row.data(), num_perm, out + text * num_perm);
    }
  });
  return slots;
}

Out<uint64_t, 2> keys_of_bands(In<uint32_t, 2> slots, size_t bands, size_t rows) {
  auto keys = new_matrix<uint64_t>(slots.shape(0), bands);
  uint64_t* out = keys.data();
  nb::gil_scoped_release release;
  for (size_t text = 0; text < slots.shape(0); ++text) {
    band_keys(slots.data() + text * slots.shape(1), bands, rows, out + text * bands);
  }
  return keys;
}

nb::tuple fingerprints(nb::handle sequence, In<uint32_t, 1> table, size_t threads) {
  const Texts texts(sequence);
  const size_t count = texts.views().size();
  auto keys = new_matrix<uint64_t>(count, 2);
  auto quantities = new_vector<uint64_t>(count);
  auto num_words = new_vector<int64_t>(count);
  uint64_t* key = keys.data();
  uint64_t* quantity = quantities.data();
  int64_t* words = num_words.data();
  {
    nb::gil_scoped_release release;
    parallel_blocks(count, kBlock, threads, [&](size_t begin, size_t end, size_t) {
      Scan scan;
      for (size_t text = begin; text < end; ++text) {
        scan_text(texts.views()[text], table.data(), &scan);
        std::copy_n(scan.key, 2, key + 2 * text);
        quantity[text] = scan.quantities;
        words[text] = static_cast<int64_t>(scan.words.size());
      }
    });
  }
  return nb::make_tuple(keys, quantities, num_words);
}

nb::tuple find_near_duplicates(nb::handle sequence, In<int64_t, 1> order, double threshold, size_t ngram, size_t bands,
                               size_t rows, In<uint32_t, 1> a, In<uint32_t, 1> b, size_t max_bucket,
                               size_t max_candidates, In<uint32_t, 1> table, size_t threads) {
  const Texts texts(sequence);
  const Permutations permutations(a, b);
  const DuplicateOptions options{
      .threshold = threshold,
      .ngram = ngram,
      .bands = bands,
      .rows = rows,
      .num_perm = permutations.padded,
      .a = permutations.a.data(),
      .b = permutations.b.data(),
      .max_bucket = max_bucket,
      .max_candidates = max_candidates,
      .threads = threads,
      .table = table.data(),
  };
  auto kept_as = new_vector<int64_t>(texts.views().size());
  auto jaccard = new_vector<double>(texts.views().size());
  int64_t* kept = kept_as.data();
  double* similarity = jaccard.data();
  {
    nb::gil_scoped_release release;
    near_duplicates(texts.views(), order.data(), options, kept, similarity);
  }
  return nb::make_tuple(kept_as, jaccard);
}

// An index with its own copy of the character table.
class Index {
 public:
  Index(nb::handle items, size_t ngram, In<uint32_t, 1> table) : table_(table.data(), table.data() + table.shape(0)) {
    const Texts texts(items);
    nb::gil_scoped_release release;
    index_ = std::make_unique<NgramIndex>(texts.views(), ngram, table_.data());
  }

  Out<uint64_t, 1> grams() const { return as_vector(index_->grams()); }
  Out<uint64_t, 1> item_offset() const { return as_vector(index_->item_offset()); }
  Out<uint32_t, 1> item_grams() const { return as_vector(index_->item_grams()); }

  Out<uint32_t, 1> count_texts(nb::handle sequence, size_t threads) const {
    const Texts texts(sequence);
    std::vector<uint32_t> counts;
    {
      nb::gil_scoped_release release;
      counts = index_->count_texts(texts.views(), threads);
    }
    return as_vector(counts);
  }

  nb::tuple overlaps(nb::handle sequence, In<uint32_t, 1> weights, double least_share, size_t threads) const {
    const Texts texts(sequence);
    std::vector<Overlap> found;
    {
      nb::gil_scoped_release release;
      found = index_->overlaps(texts.views(), weights.data(), least_share, threads);
    }
    auto pairs = new_matrix<int64_t>(found.size(), 3);
    auto sums = new_matrix<uint64_t>(found.size(), 2);
    for (size_t i = 0; i < found.size(); ++i) {
      pairs.data()[3 * i] = found[i].text;
      pairs.data()[3 * i + 1] = found[i].item;
      pairs.data()[3 * i + 2] = found[i].num_matched;
      sums.data()[2 * i] = found[i].matched;
      sums.data()[2 * i + 1] = found[i].total;
    }
    return nb::make_tuple(pairs, sums);
  }

  Out<int64_t, 2> containments(nb::handle sequence, size_t least_tokens, size_t threads) const {
    const Texts texts(sequence);
    std::vector<Containment> found;
    {
      nb::gil_scoped_release release;
      found = index_->containments(texts.views(), least_tokens, threads);
    }
    auto pairs = new_matrix<int64_t>(found.size(), 2);
    for (size_t i = 0; i < found.size(); ++i) {
      pairs.data()[2 * i] = found[i].text;
      pairs.data()[2 * i + 1] = found[i].item;
    }
    return pairs;
  }

 private:
  std::vector<uint32_t> table_;
  std::unique_ptr<NgramIndex> index_;
};

}  // namespace
}  // namespace reasonmill

NB_MODULE(_native, m) {
  using namespace reasonmill;
  m.attr("TABLE_SIZE") = kTableSize;
  m.def("signatures", &signatures, "texts"_a, "ngram"_a, "a"_a, "b"_a, "table"_a, "threads"_a);
  m.def("band_keys", &keys_of_bands, "signatures"_a, "bands"_a, "rows"_a);
  m.def("fingerprints", &fingerprints, "texts"_a, "table"_a, "threads"_a);
  m.def("near_duplicates", &find_near_duplicates, "texts"_a, "order"_a, "threshold"_a, "ngram"_a, "bands"_a, "rows"_a,
        "a"_a, "b"_a, "max_bucket"_a, "max_candidates"_a, "table"_a, "threads"_a);
  nb::class_<Index>(m, "NgramIndex")
      .def(nb::init<nb::handle, size_t, In<uint32_t, 1>>(), "items"_a, "ngram"_a, "table"_a)
      .def_prop_ro("grams", &Index::grams, nb::rv_policy::move)
      .def_prop_ro("item_offset", &Index::item_offset, nb::rv_policy::move)
      .def_prop_ro("item_grams", &Index::item_grams, nb::rv_policy::move)
      .def("count_texts", &Index::count_texts, "texts"_a, "threads"_a)
      .def("overlaps", &Index::overlaps, "texts"_a, "weights"_a, "least_share"_a, "threads"_a)
      .def("containments", &Index::containments, "texts"_a, "least_tokens"_a, "threads"_a);
}
