// The native pass by itself, for callgrind and perf:  native_pass TABLE TEXTS ITEMS PART [REPEATS]
// TABLE is characters.table(); TEXTS and ITEMS are length (4 bytes, little endian) and bytes of each text. PART says how
// much is done: nothing, exact, bands, decontamination, verdicts. bench/instructions.py takes differences.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/characters.h"
#include "core/corpus.h"
#include "core/duplicates.h"

using namespace reasonmill;

namespace {

std::vector<char> content_of(const char* path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    std::fprintf(stderr, "%s cannot be read\n", path);
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<TextView> texts_of(const std::vector<char>& content) {
  std::vector<TextView> texts;
  for (size_t at = 0; at + 4 <= content.size();) {
    uint32_t length;
    std::memcpy(&length, content.data() + at, 4);
    texts.push_back({reinterpret_cast<const uint8_t*>(content.data()) + at + 4, length});
    at += 4 + length;
  }
  return texts;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) return 2;
  const std::vector<char> table_bytes = content_of(arguments[1]);
  const auto* table = reinterpret_cast<const uint32_t*>(table_bytes.data());
  const std::vector<char> text_bytes = content_of(arguments[2]);
  const std::vector<char> item_bytes = content_of(arguments[3]);
  const std::string_view part = arguments[4];
  const std::vector<TextView> texts = texts_of(text_bytes);
  const NgramIndex index(texts_of(item_bytes), 5, 3, 40, table);
  std::mt19937 random(1);
  std::vector<uint32_t> factors(125), offsets(125);
  for (auto& factor : factors) factor = static_cast<uint32_t>(random()) | 1;
  for (auto& offset : offsets) offset = static_cast<uint32_t>(random());
  const Permutations permutations(factors.data(), offsets.data(), factors.size());
  const Banding banding{5, 25, 5, &permutations};
  const bool bands = part != "exact", decontamination = part == "decontamination" || part == "verdicts";
  for (int repeats = count > 5 ? std::atoi(arguments[5]) : 1; part != "nothing" && repeats > 0; --repeats) {
    Matches matches;
    const Prints prints = read_corpus(texts, table, 1, bands ? &banding : nullptr, decontamination ? &index : nullptr,
                                      3, &matches);
    if (part != "verdicts") continue;
    const DuplicateOptions options{.threshold = 0.8, .ngram = 5, .bands = 25, .max_bucket = 32, .max_candidates = 32,
                                   .threads = 1, .table = table, .rank = nullptr, .active = nullptr, .loose = nullptr,
                                   .settled = nullptr, .label_variants = false};
    find_duplicates(texts, view_of(prints), options);
    const std::vector<uint32_t> weights(index.grams().size(), 1);
    index.overlaps(matches.offset.data(), matches.numbers.data(), texts.size(), weights.data(), 0.3);
  }
  std::printf("%zu\n", texts.size());
}
