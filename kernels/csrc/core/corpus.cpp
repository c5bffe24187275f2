#include "core/corpus.h"

#include <algorithm>

#include "core/parallel.h"

namespace reasonmill {
namespace {

constexpr size_t kBlock = 256;  // texts

// The scratch of one thread.
struct Workspace {
  Scan scan;
  Buffer<uint64_t> word_grams;
  Buffer<uint64_t> token_grams;
  Buffer<uint32_t> mixed;
  Buffer<uint32_t> slots;
  std::vector<uint64_t> keys;
  NgramIndex::Probe probe;
};

}  // namespace

Prints read_corpus(const std::vector<TextView>& texts, const uint32_t* table, size_t threads, const Banding* banding,
                   const NgramIndex* index, size_t least_tokens, Matches* matches) {
  const size_t count = texts.size();
  Prints prints{std::vector<uint64_t>(2 * count), std::vector<uint64_t>(count), std::vector<uint32_t>(count),
                std::vector<uint64_t>(banding ? banding->bands * count : 0)};
  std::vector<Workspace> spaces(thread_count(threads));
  std::vector<BlockMatches> found(index ? (count + kBlock - 1) / kBlock : 0);
  parallel_blocks(count, kBlock, threads, [&](size_t begin, size_t end, size_t thread) {
    Workspace& space = spaces[thread];
    if (banding) {
      space.keys.resize(banding->bands);
      space.slots.at_least(banding->permutations->padded);
    }
    for (size_t text = begin; text < end; ++text) {
      Scan& scan = space.scan;
      scan.read(texts[text], table);
      std::copy_n(scan.key, 2, &prints.key[2 * text]);
      prints.quantities[text] = scan.quantities;
      prints.num_words[text] = static_cast<uint32_t>(scan.words.size);
      Hashes grams;
      if (banding) {
        grams = grams_of(scan.words, banding->ngram, &space.word_grams);
        if (grams.size > 0) {
          minhash(grams, *banding->permutations, &space.mixed, space.slots.data());
          isa().band_keys(space.slots.data(), banding->bands, banding->rows, space.keys.data());
          for (size_t band = 0; band < banding->bands; ++band) {
            prints.band_keys[band * count + text] = space.keys[band];
          }
        }
      }
      if (index) {
        const bool same = banding && banding->ngram == index->ngram() && scan.words.data == scan.tokens.data;
        if (!same) grams = grams_of(scan.tokens, index->ngram(), &space.token_grams);
        index->match(scan, grams, least_tokens, &space.probe, &found[begin / kBlock]);
      }
    }
  });
  if (index) *matches = joined(found, kBlock, count);
  return prints;
}

}  // namespace reasonmill
