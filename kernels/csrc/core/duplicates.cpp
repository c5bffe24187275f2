#include "core/duplicates.h"

#include <algorithm>
#include <utility>

#include "core/buckets.h"
#include "core/likeness.h"
#include "core/parallel.h"

namespace reasonmill {
namespace {

constexpr size_t kBlock = 64;          // texts
constexpr size_t kVariantsTried = 4;   // candidates for the label of a variant

// The first text, in the order of claims, with the same key; its own place where it is the first.
std::vector<uint32_t> exact_duplicates(const PrintsView& prints, const DuplicateOptions& options, const Claims& claims) {
  const auto count = static_cast<uint32_t>(prints.count);
  constexpr uint32_t kAhead = 16;
  std::vector<uint32_t> first(count);
  std::vector<uint32_t> again;
  BucketTable seen(count);
  for (uint32_t text = 0; text < count; ++text) {
    if (text + kAhead < count) seen.prefetch(prints.key[2 * (text + kAhead)]);
    first[text] = text;
    if (options.active != nullptr && !options.active[text]) continue;
    const uint64_t* key = &prints.key[2 * text];
    auto& slot = seen.find(key[0], [&](uint32_t other) {
      return prints.key[2 * other] == key[0] && prints.key[2 * other + 1] == key[1];
    });
    if (slot.holder == kNone) {
      slot.holder = text;
      continue;
    }
    again.push_back(text);
    first[text] = slot.holder;  // the first to arrive; its own entry leads to the first of them in the order of claims
    if (claims.before(text, first[slot.holder])) first[slot.holder] = text;
  }
  for (const uint32_t text : again) first[text] = first[first[text]];
  return first;
}

// Decides, in the order of claims, which texts are kept.
class Decision {
 public:
  Decision(const std::vector<TextView>& texts, const DuplicateOptions& options, const Claims& claims, Chains* chains,
           std::vector<uint8_t> kept)
      : options_(options), claims_(claims), chains_(chains), kept_(std::move(kept)),
        likeness_(texts, options.ngram, options.table) {}

  bool kept(uint32_t text) const { return kept_[text] != 0; }

  // The kept text that this one duplicates with the similarity, or itself.
  std::pair<uint32_t, double> decide(uint32_t text) {
    collect_candidates(text);
    for (const uint32_t candidate : candidates_) {
      const double similarity = compare(text, candidate);
      if (similarity >= options_.threshold) {
        kept_[text] = 0;
        return {candidate, similarity};
      }
    }
    return {text, 1.0};
  }

 private:
  // Leaves the texts to compare with in candidates_, in the order of claims.
  void collect_candidates(uint32_t text) {
    candidates_.clear();
    for (Link* link = chains_->begin(text); link != chains_->end(text); ++link) {
      // a text that was not kept has its own link at a kept one already
      uint32_t candidate = link->previous;
      if (!kept_[candidate]) {
        candidate = chains_->previous(candidate, link->table);
        *link = {link->table, candidate};
      }
      for (size_t n = 0; n < options_.max_bucket && candidate != kNone; ++n) {
        candidates_.push_back(candidate);
        candidate = chains_->previous(candidate, link->table);
      }
    }
    std::sort(candidates_.begin(), candidates_.end());
    met_.clear();
    for (const uint32_t candidate : candidates_) {
      if (met_.empty() || met_.back().second != candidate) met_.emplace_back(0, candidate);
      ++met_.back().first;
    }
    const auto before = [&](const auto& l, const auto& r) { return claims_.before(l.second, r.second); };
    if (met_.size() > options_.max_candidates) {
      std::sort(met_.begin(), met_.end(),
                [&](const auto& l, const auto& r) { return l.first != r.first ? l.first > r.first : before(l, r); });
      met_.resize(options_.max_candidates);
    }
    std::sort(met_.begin(), met_.end(), before);
    candidates_.clear();
    for (const auto& [times, candidate] : met_) candidates_.push_back(candidate);
  }

  double compare(uint32_t text, uint32_t candidate) {
    for (const Link* link = chains_->begin(text); link != chains_->end(text); ++link) {
      if (link->previous == candidate && link->similarity >= 0.0) return link->similarity;
    }
    return likeness_.of(text, candidate);
  }

  const DuplicateOptions& options_;
  const Claims& claims_;
  Chains* chains_;
  std::vector<uint8_t> kept_;
  std::vector<uint32_t> candidates_;
  std::vector<std::pair<uint32_t, uint32_t>> met_;
  Likeness likeness_;
};

std::vector<Likeness> one_for_each_thread(const std::vector<TextView>& texts, const DuplicateOptions& options) {
  std::vector<Likeness> scratch;
  for (size_t t = 0; t < thread_count(options.threads); ++t) scratch.emplace_back(texts, options.ngram, options.table);
  return scratch;
}

// Compares each text with the ones before it in its buckets, on all threads: most decisions then find it done.
void compare_ahead(const std::vector<TextView>& texts, const std::vector<uint32_t>& linked,
                   const DuplicateOptions& options, Chains* chains) {
  std::vector<Likeness> scratch = one_for_each_thread(texts, options);
  parallel_blocks(linked.size(), kBlock, options.threads, [&](size_t begin, size_t end, size_t thread) {
    for (size_t i = begin; i < end; ++i) {
      const uint32_t text = linked[i];
      for (Link* link = chains->begin(text); link != chains->end(text); ++link) {
        const bool known = std::any_of(chains->begin(text), link,
                                       [&](const Link& other) { return other.previous == link->previous; });
        if (!known) link->similarity = scratch[thread].of(text, link->previous);
      }
    }
  });
}

// Texts to decide on that share a bucket with others, in the order of claims.
std::vector<uint32_t> linked_texts(Chains* chains, size_t count, const DuplicateOptions& options,
                                   const Claims& claims) {
  std::vector<uint32_t> linked;
  for (uint32_t text = 0; text < count; ++text) {
    if (!chains->empty(text) && !(options.settled != nullptr && options.settled[text])) linked.push_back(text);
  }
  std::sort(linked.begin(), linked.end(), [&](uint32_t l, uint32_t r) { return claims.before(l, r); });
  return linked;
}

// Adds the tables of the texts that `eligible` lets in: those of MinHash keys, and those of long texts, by keys of their
// own. With `by_quantities` texts share a bucket only if their numbers agree.
template <typename Eligible>
void add_tables(const PrintsView& prints, const DuplicateOptions& options, const Claims& claims, bool by_quantities,
                const Eligible& eligible, Bucketing* bucketing) {
  if (options.bands == 0) return;
  const auto salt = [&](uint32_t text) { return by_quantities ? prints.quantities[text] : 0; };
  std::vector<uint32_t> texts;
  for (uint32_t text = 0; text < prints.count; ++text) {
    if (eligible(text) && prints.num_words[text] >= options.ngram && prints.band_keys[text] != 0) texts.push_back(text);
  }
  bucketing->add(
      options.bands, options.threads, texts,
      [&](uint32_t band, uint32_t place) {
        return prints.band_keys[band * prints.count + texts[place]] ^ salt(texts[place]);
      },
      claims);
  std::vector<uint32_t> long_texts, places;
  for (uint32_t place = 0; place < prints.num_long; ++place) {
    if (!eligible(prints.long_texts[place])) continue;
    places.push_back(place);
    long_texts.push_back(prints.long_texts[place]);
  }
  if (places.empty()) return;
  bucketing->add(
      options.bands, options.threads, long_texts,
      [&](uint32_t band, uint32_t place) {
        return prints.long_keys[band * prints.num_long + places[place]] ^ salt(long_texts[place]);
      },
      claims);
}

// Labels the kept texts that are like an earlier kept one but for their numbers.
void label_variants(const std::vector<TextView>& texts, const PrintsView& prints, const std::vector<uint8_t>& kept,
                    const DuplicateOptions& options, const Claims& claims, std::vector<int64_t>* variant_of) {
  Bucketing bucketing(prints.count);
  add_tables(prints, options, claims, false, [&](uint32_t text) { return kept[text] != 0; }, &bucketing);
  Chains chains = bucketing.chains();
  const std::vector<uint32_t> linked = linked_texts(&chains, prints.count, options, claims);
  std::vector<Likeness> scratch = one_for_each_thread(texts, options);
  parallel_blocks(linked.size(), kBlock, options.threads, [&](size_t begin, size_t end, size_t thread) {
    for (size_t i = begin; i < end; ++i) {
      const uint32_t text = linked[i];
      std::vector<uint32_t> tried;
      for (const Link* link = chains.begin(text); link != chains.end(text) && tried.size() < kVariantsTried; ++link) {
        const uint32_t other = link->previous;
        if (prints.quantities[other] == prints.quantities[text]) continue;
        if (std::find(tried.begin(), tried.end(), other) != tried.end()) continue;
        tried.push_back(other);
        if (scratch[thread].of(text, other) < options.threshold) continue;
        (*variant_of)[text] = other;
        break;
      }
    }
  });
}

}  // namespace

Duplicates find_duplicates(const std::vector<TextView>& texts, const PrintsView& prints,
                           const DuplicateOptions& options) {
  const size_t count = texts.size();
  const Claims claims(texts, prints.key, options.rank);
  const std::vector<uint32_t> first = exact_duplicates(prints, options, claims);
  std::vector<uint8_t> kept(count);
  for (uint32_t text = 0; text < count; ++text) {
    kept[text] = first[text] == text && (options.active == nullptr || options.active[text]);
  }
  Bucketing bucketing(count);
  add_tables(prints, options, claims, true, [&](uint32_t text) { return kept[text] != 0; }, &bucketing);
  if (options.loose != nullptr) {
    add_tables(prints, options, claims, false, [&](uint32_t text) { return kept[text] && options.loose[text]; },
               &bucketing);
  }
  Chains chains = bucketing.chains();
  const std::vector<uint32_t> linked = linked_texts(&chains, count, options, claims);
  compare_ahead(texts, linked, options, &chains);

  Duplicates found{std::vector<int64_t>(count, -1), std::vector<double>(count, 1.0), std::vector<int64_t>(count, -1)};
  for (uint32_t text = 0; text < count; ++text) {
    if (kept[text]) found.kept_as[text] = text;
  }
  Decision decision(texts, options, claims, &chains, std::move(kept));
  for (const uint32_t text : linked) {
    const auto [other, similarity] = decision.decide(text);
    found.kept_as[text] = other;
    found.jaccard[text] = similarity;
  }
  std::vector<uint8_t> still_kept(count);
  for (uint32_t text = 0; text < count; ++text) {
    still_kept[text] = decision.kept(text);
    if (first[text] == text) continue;  // what stands for its first stands for it
    found.kept_as[text] = found.kept_as[first[text]];
    found.jaccard[text] = found.jaccard[first[text]];
  }
  if (options.label_variants) label_variants(texts, prints, still_kept, options, claims, &found.variant_of);
  return found;
}

}  // namespace reasonmill
