// Python bindings. Arguments are checked by the Python wrappers (kernels/*.py); the interpreter's lock is released
// while texts are read.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "arrays.h"
#include "core/characters.h"
#include "core/corpus.h"
#include "core/duplicates.h"
#include "core/hints.h"
#include "core/known.h"
#include "core/minhash.h"
#include "core/ngram_index.h"
#include "core/parallel.h"
#include "core/scan.h"
#include "core/suspects.h"
#include "queries.h"
#include "rows.h"
#include "texts.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace reasonmill {
namespace {

constexpr size_t kBlock = 256;  // texts

using Marks = nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

Out<uint32_t, 2> signatures(nb::handle source, size_t ngram, In<uint32_t, 1> a, In<uint32_t, 1> b,
                            In<uint32_t, 1> table, size_t threads) {
  const Texts texts(source);
  const Permutations permutations(a.data(), b.data(), a.shape(0));
  const size_t num_perm = a.shape(0);
  auto slots = new_matrix<uint32_t>(texts.views().size(), num_perm);
  uint32_t* out = slots.data();
  nb::gil_scoped_release release;
  parallel_blocks(texts.views().size(), kBlock, threads, [&](size_t begin, size_t end, size_t) {
    Scan scan;
    Buffer<uint64_t> grams;
    Buffer<uint32_t> mixed;
    const Buffer<uint32_t> row(permutations.padded);
    for (size_t text = begin; text < end; ++text) {
      scan.read(texts.views()[text], table.data());
      minhash(grams_of(scan.words, ngram, &grams), permutations, &mixed, row.data());
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
    isa().band_keys(slots.data() + text * slots.shape(1), bands, rows, out + text * bands);
  }
  return keys;
}

// An index with its own copy of the character table.
class Index {
 public:
  Index(nb::handle items, size_t ngram, size_t short_ngram, size_t short_tokens, In<uint32_t, 1> table) {
    const Texts texts(items);
    nb::gil_scoped_release release;
    index_ = std::make_unique<NgramIndex>(texts.views(), ngram, short_ngram, short_tokens, table.data());
  }

  const NgramIndex& core() const { return *index_; }
  Out<uint64_t, 1> grams() const { return as_vector<uint64_t>(index_->grams()); }
  Out<uint64_t, 1> item_offset() const { return as_vector<uint64_t>(index_->item_offset()); }
  Out<uint32_t, 1> item_grams() const { return as_vector<uint32_t>(index_->item_grams()); }

  nb::tuple overlaps(In<int64_t, 1> offset, In<uint32_t, 1> numbers, In<uint32_t, 1> weights,
                     double least_share) const {
    std::vector<Overlap> found;
    {
      nb::gil_scoped_release release;
      found = index_->overlaps(offset.data(), numbers.data(), offset.shape(0) - 1, weights.data(), least_share);
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

  Out<uint64_t, 1> densest(nb::handle source, In<int64_t, 1> items, In<uint32_t, 1> weights, double stretch,
                           In<uint32_t, 1> table) const {
    const Texts texts(source);
    std::vector<uint64_t> found(texts.views().size());
    {
      nb::gil_scoped_release release;
      Scan scan;
      NgramIndex::Probe probe;
      for (size_t i = 0; i < found.size(); ++i) {
        scan.read(texts.views()[i], table.data());
        found[i] = index_->densest(scan, static_cast<size_t>(items.data()[i]), weights.data(), stretch, &probe);
      }
    }
    return as_vector<uint64_t>(found);
  }

 private:
  std::unique_ptr<NgramIndex> index_;
};

// What one walk over each text finds: keys, quantities, number of words, band keys, long texts, their band keys; then
// what of the index stands in each: offsets, n-grams, contained items.
nb::tuple read_texts(const Texts& texts, In<uint32_t, 1> table, size_t ngram, size_t bands, size_t rows, In<uint32_t, 1> a,
               In<uint32_t, 1> b, const Index* index, size_t least_tokens, size_t threads) {
  const size_t count = texts.views().size();
  Prints prints;
  Matches matches;
  {
    nb::gil_scoped_release release;
    std::optional<Permutations> permutations;
    if (bands > 0) permutations.emplace(a.data(), b.data(), a.shape(0));
    const Banding banding{ngram, bands, rows, bands > 0 ? &*permutations : nullptr};
    prints = read_corpus(texts.views(), table.data(), threads, bands > 0 ? &banding : nullptr,
                         index ? &index->core() : nullptr, least_tokens, &matches);
  }
  auto contained = new_matrix<int64_t>(matches.contained.size(), 2);
  for (size_t i = 0; i < matches.contained.size(); ++i) {
    contained.data()[2 * i] = matches.contained[i].text;
    contained.data()[2 * i + 1] = matches.contained[i].item;
  }
  const size_t num_long = prints.long_texts.size();
  return nb::make_tuple(taken(std::move(prints.key), count, 2), taken(std::move(prints.quantities)),
                        taken(std::move(prints.num_words)), taken(std::move(prints.band_keys), bands, count),
                        taken(std::move(prints.long_texts)), taken(std::move(prints.long_keys), bands, num_long),
                        taken(std::move(matches.offset)), taken(std::move(matches.numbers)), contained);
}

Out<uint8_t, 1> hints(const Texts& texts) {
  auto found = new_vector<uint8_t>(texts.views().size());
  nb::gil_scoped_release release;
  for (size_t text = 0; text < texts.views().size(); ++text) found.data()[text] = hints_of(texts.views()[text]);
  return found;
}

Out<uint8_t, 1> suspects(const Texts& texts) {
  auto found = new_vector<uint8_t>(texts.views().size());
  nb::gil_scoped_release release;
  for (size_t text = 0; text < texts.views().size(); ++text) found.data()[text] = suspects_of(texts.views()[text]);
  return found;
}

nb::tuple duplicates(const Texts& texts, In<uint64_t, 2> keys, In<uint64_t, 1> quantities, In<uint32_t, 1> num_words,
                     In<uint64_t, 2> band_keys, In<uint32_t, 1> long_texts, In<uint64_t, 2> long_keys,
                     In<uint32_t, 1> table, size_t ngram, double threshold, const std::optional<In<int64_t, 1>>& rank,
                     const std::optional<In<uint8_t, 1>>& active, const std::optional<In<uint8_t, 1>>& loose,
                     const std::optional<In<uint8_t, 1>>& settled, bool label_variants, size_t max_bucket,
                     size_t max_candidates, size_t threads) {
  const PrintsView prints{texts.views().size(), keys.data(),         quantities.data(), num_words.data(),
                          band_keys.data(),     long_texts.shape(0), long_texts.data(), long_keys.data()};
  const DuplicateOptions options{
      .threshold = threshold,
      .ngram = ngram,
      .bands = band_keys.shape(0),
      .max_bucket = max_bucket,
      .max_candidates = max_candidates,
      .threads = threads,
      .table = table.data(),
      .rank = rank ? rank->data() : nullptr,
      .active = active ? active->data() : nullptr,
      .loose = loose ? loose->data() : nullptr,
      .settled = settled ? settled->data() : nullptr,
      .label_variants = label_variants,
  };
  Duplicates found;
  {
    nb::gil_scoped_release release;
    found = find_duplicates(texts.views(), prints, options);
  }
  return nb::make_tuple(taken(std::move(found.kept_as)), taken(std::move(found.jaccard)),
                        taken(std::move(found.variant_of)));
}

void mark_known_keys(In<uint64_t, 1> known, In<uint64_t, 1> keys, Marks marks, size_t threads) {
  nb::gil_scoped_release release;
  mark_known(known.data(), known.shape(0), keys.data(), keys.shape(0), threads, marks.data());
}

std::vector<std::string> names_of_isas() {
  std::vector<std::string> names;
  for (const Isa* known : known_isas()) names.emplace_back(known->name);
  return names;
}

}  // namespace
}  // namespace reasonmill

NB_MODULE(_native, m) {
  using namespace reasonmill;
  bind_rows(m);
  bind_queries(m);
  m.attr("TABLE_SIZE") = kTableSize;
  m.def("isas", &names_of_isas);
  m.def("isa", [] { return std::string(isa().name); });
  m.def("use_isa", [](const std::string& name) { return use_isa(name.c_str()); }, "name"_a);
  m.def("signatures", &signatures, "texts"_a, "ngram"_a, "a"_a, "b"_a, "table"_a, "threads"_a);
  m.def("band_keys", &keys_of_bands, "signatures"_a, "bands"_a, "rows"_a);
  nb::class_<Index>(m, "NgramIndex")
      .def(nb::init<nb::handle, size_t, size_t, size_t, In<uint32_t, 1>>(), "items"_a, "ngram"_a, "short_ngram"_a,
           "short_tokens"_a, "table"_a)
      .def_prop_ro("grams", &Index::grams, nb::rv_policy::move)
      .def_prop_ro("item_offset", &Index::item_offset, nb::rv_policy::move)
      .def_prop_ro("item_grams", &Index::item_grams, nb::rv_policy::move)
      .def("densest", &Index::densest, "texts"_a, "items"_a, "weights"_a, "stretch"_a, "table"_a,
           nb::rv_policy::move)
      .def("overlaps", &Index::overlaps, "offset"_a, "numbers"_a, "weights"_a, "least_share"_a);
  nb::class_<Texts>(m, "Texts").def(nb::init<nb::handle>(), "source"_a);
  m.def("read", &read_texts, "texts"_a, "table"_a, "ngram"_a, "bands"_a, "rows"_a, "a"_a, "b"_a, "index"_a.none(),
        "least_tokens"_a, "threads"_a);
  m.def("hints", &hints, "texts"_a);
  m.def("suspects", &suspects, "texts"_a);
  m.def("duplicates", &duplicates, "texts"_a, "keys"_a, "quantities"_a, "num_words"_a, "band_keys"_a, "long_texts"_a,
        "long_keys"_a, "table"_a, "ngram"_a, "threshold"_a, "rank"_a.none(), "active"_a.none(), "loose"_a.none(),
        "settled"_a.none(), "label_variants"_a, "max_bucket"_a, "max_candidates"_a, "threads"_a);
  m.def("mark_known", &mark_known_keys, "known"_a, "keys"_a, "marks"_a, "threads"_a);
}
