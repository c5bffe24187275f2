// Feeds random bytes to the whole native pass, with every instruction set, and aborts where two of them disagree.
// Built with AddressSanitizer and UndefinedBehaviorSanitizer by fuzz.sh:  fuzz_texts SECONDS [SEED]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/characters.h"
#include "core/corpus.h"
#include "core/duplicates.h"

using namespace reasonmill;

namespace {

using Random = std::mt19937_64;

const char* const kPieces[] = {"the ", "and ", "1,234.5", "3.14", ",", ".", "--", "x^2", "\xE4\xB8\xAD", "\xC3\xA9", "\xE2\x89\xA4",
                               "\xE2\x80\x99", "\xEF\xBC\x91", "\xEF\xBC\x8C", "\xF0\x9D\x92\x99", "\xFF", "\xC3", "\xED\xA0\x80",
                               "[", "]", "\\[", "!", "5!", "a-b", "\n", "\0x", "supercalifragilisticexpialidocious"};

std::string text_of(Random& random) {
  std::string text;
  const size_t length = random() % (random() % 16 == 0 ? 3000 : random() % 256 == 0 ? 60000 : 200);
  while (text.size() < length) {
    switch (random() % 4) {
      case 0:
        text.push_back(static_cast<char>(random()));
        break;
      case 1:
        text.push_back(static_cast<char>('0' + random() % 12 - 2));
        break;
      default:
        text += kPieces[random() % std::size(kPieces)];
    }
  }
  return text;
}

// Texts in blocks of their exact size, so that a read beyond the end is seen.
struct Held {
  std::vector<std::unique_ptr<uint8_t[]>> bytes;
  std::vector<TextView> views;

  void add(const std::string& text) {
    bytes.push_back(std::make_unique<uint8_t[]>(text.size()));
    std::copy(text.begin(), text.end(), bytes.back().get());
    views.push_back({bytes.back().get(), text.size()});
  }
};

void require(bool held, const char* what) {
  if (held) return;
  std::fprintf(stderr, "instruction sets disagree: %s\n", what);
  std::abort();
}

size_t round(Random& random, const std::vector<uint32_t>& table) {
  Held texts, items;
  for (size_t n = random() % 40; n > 0; --n) {
    texts.add(text_of(random));
    if (random() % 4 == 0) items.add(text_of(random));
    if (random() % 4 == 0) texts.add(std::string(texts.views.back().bytes, texts.views.back().bytes + texts.views.back().length) + "z");
  }
  std::vector<uint32_t> factors(10), offsets(10);
  for (auto& factor : factors) factor = static_cast<uint32_t>(random()) | 1;
  for (auto& offset : offsets) offset = static_cast<uint32_t>(random());
  const Permutations permutations(factors.data(), offsets.data(), 10);
  const Banding banding{1 + random() % 6, 5, 2, &permutations};
  const size_t short_tokens = random() % 30;
  std::vector<uint8_t> loose(texts.views.size() + 1, random() % 2);
  Prints first;
  Matches first_matches;
  Duplicates first_found;
  for (const Isa* known : known_isas()) {
    use_isa(known->name);
    const NgramIndex index(items.views, 1 + banding.ngram % 5, 3, short_tokens, table.data());
    Matches matches;
    Prints prints = read_corpus(texts.views, table.data(), 2, &banding, &index, 3, &matches);
    const DuplicateOptions options{.threshold = 0.5, .ngram = banding.ngram, .bands = 5, .max_bucket = 4,
                                   .max_candidates = 4, .threads = 2, .table = table.data(), .rank = nullptr,
                                   .active = nullptr, .loose = loose.data(), .settled = nullptr,
                                   .label_variants = true};
    const std::vector<uint32_t> weights(index.grams().size() + 1, 7);
    index.overlaps(matches.offset.data(), matches.numbers.data(), texts.views.size(), weights.data(), 0.3);
    Duplicates found = find_duplicates(texts.views, view_of(prints), options);
    if (known == known_isas().front()) {
      first = std::move(prints);
      first_matches = std::move(matches);
      first_found = std::move(found);
      continue;
    }
    require(prints.key == first.key && prints.quantities == first.quantities, "keys");
    require(prints.num_words == first.num_words, "words");
    require(matches.numbers == first_matches.numbers && matches.offset == first_matches.offset, "matches");
    require(found.kept_as == first_found.kept_as && found.jaccard == first_found.jaccard, "duplicates");
    require(prints.long_texts == first.long_texts && prints.long_keys == first.long_keys, "long texts");
    require(found.variant_of == first_found.variant_of, "variants");
  }
  return texts.views.size();
}

}  // namespace

int main(int count, char** arguments) {
  const double seconds = count > 1 ? std::atof(arguments[1]) : 10.0;
  Random random(count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1);
  // any table will do for memory safety: kinds and folded characters at random, ASCII as it must be
  std::vector<uint32_t> table(kTableSize);
  for (uint32_t code = 0; code < kTableSize; ++code) table[code] = (random() % 5) << kKindShift | (random() % 3 ? code : 'a' + random() % 26);
  const auto began = std::chrono::steady_clock::now();
  size_t rounds = 0, texts = 0;
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() < seconds) {
    texts += round(random, table);
    ++rounds;
  }
  std::printf("%zu rounds, %zu texts, no finding\n", rounds, texts);
}
