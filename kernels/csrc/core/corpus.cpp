#include "core/corpus.h"

#include <algorithm>

#include "core/one_permutation.h"
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

// The long texts of one block, with their keys one after the other.
struct LongTexts {
  std::vector<uint32_t> texts;
  std::vector<uint64_t> keys;
};

// Brings the text into the cache, or its begin: strings lie anywhere, so that the hardware cannot foresee the next one.
void ask_for(TextView text) {
  constexpr size_t kLine = 64, kMost = 4096;  // bytes
  for (size_t at = 0; at < std::min(text.length, kMost); at += kLine) __builtin_prefetch(text.bytes + at);
}

void add_long_texts(const std::vector<LongTexts>& blocks, size_t bands, Prints* prints) {
  for (const LongTexts& block : blocks) {
    prints->long_texts.insert(prints->long_texts.end(), block.texts.begin(), block.texts.end());
  }
  const size_t count = prints->long_texts.size();
  prints->long_keys.resize(bands * count);
  size_t at = 0;
  for (const LongTexts& block : blocks) {
    for (size_t text = 0; text < block.texts.size(); ++text, ++at) {
      for (size_t band = 0; band < bands; ++band) prints->long_keys[band * count + at] = block.keys[text * bands + band];
    }
  }
}

// Keys of the bands of text `text` of `count`.
void find_band_keys(Hashes grams, const Banding& banding, uint32_t text, size_t count, Workspace* space,
                    Prints* prints, LongTexts* found) {
  const auto keys_of_slots = [&] {
    isa().band_keys(space->slots.data(), banding.bands, banding.rows, space->keys.data());
  };
  if (grams.size > kLongText) {
    const size_t bins = banding.bands * banding.rows;
    const uint64_t sum = one_permutation(grams, bins, &space->mixed, space->slots.data());
    keys_of_slots();
    found->texts.push_back(text);
    found->keys.insert(found->keys.end(), space->keys.begin(), space->keys.end());
    if (!may_be_like_short(sum, bins)) return;
  }
  minhash(grams, *banding.permutations, &space->mixed, space->slots.data());
  keys_of_slots();
  for (size_t band = 0; band < banding.bands; ++band) prints->band_keys[band * count + text] = space->keys[band];
}

}  // namespace

Prints read_corpus(const std::vector<TextView>& texts, const uint32_t* table, size_t threads, const Banding* banding,
                   const NgramIndex* index, size_t least_tokens, Matches* matches) {
  const size_t count = texts.size();
  const size_t num_blocks = (count + kBlock - 1) / kBlock;
  Prints prints{std::vector<uint64_t>(2 * count), std::vector<uint64_t>(count), std::vector<uint32_t>(count),
                std::vector<uint64_t>(banding ? banding->bands * count : 0), {}, {}};
  std::vector<Workspace> spaces(thread_count(threads));
  std::vector<BlockMatches> found(index ? num_blocks : 0);
  std::vector<LongTexts> long_texts(banding ? num_blocks : 0);
  parallel_blocks(count, kBlock, threads, [&](size_t begin, size_t end, size_t thread) {
    Workspace& space = spaces[thread];
    if (banding) {
      space.keys.resize(banding->bands);
      space.slots.at_least(banding->permutations->padded);
    }
    for (size_t text = begin; text < end; ++text) {
      if (text + 1 < end) ask_for(texts[text + 1]);
      Scan& scan = space.scan;
      scan.read(texts[text], table);
      std::copy_n(scan.key, 2, &prints.key[2 * text]);
      prints.quantities[text] = scan.quantities;
      prints.num_words[text] = static_cast<uint32_t>(scan.words.size);
      Hashes grams;
      if (banding) {
        grams = grams_of(scan.words, banding->ngram, &space.word_grams);
        if (grams.size > 0) {
          find_band_keys(grams, *banding, static_cast<uint32_t>(text), count, &space, &prints,
                         &long_texts[begin / kBlock]);
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
  if (banding) add_long_texts(long_texts, banding->bands, &prints);
  return prints;
}

}  // namespace reasonmill
