#include "core/likeness.h"

#include <bit>

namespace reasonmill {

Hashes Likeness::read(uint32_t text, Buffer<uint64_t>* grams) {
  scan_.read(texts_[text], table_);
  return grams_of(scan_.words, ngram_, grams);
}

size_t Likeness::enter(Hashes grams, uint64_t side, size_t* common) {
  const size_t mask = slots_.size() - 1;
  const uint64_t now = 4 * comparison_;
  size_t added = 0;
  for (size_t i = 0; i < grams.size; ++i) {
    const uint64_t gram = grams.data[i];
    size_t at = gram & mask;
    while (slots_[at].mark >= now && slots_[at].gram != gram) at = (at + 1) & mask;
    Slot& slot = slots_[at];
    if (slot.mark < now) slot = {gram, now};
    if (slot.mark & side) continue;
    *common += slot.mark != now;
    slot.mark |= side;
    ++added;
  }
  return added;
}

double Likeness::of(uint32_t text, uint32_t other) {
  if (text != text_) own_ = read(text, &grams_);
  text_ = text;
  const Hashes others = read(other, &other_grams_);
  const size_t room = std::bit_ceil(2 * (own_.size + others.size) + 16);
  if (slots_.size() < room) {
    slots_.assign(room, {0, 0});
    comparison_ = 0;
  }
  ++comparison_;
  size_t common = 0;
  const size_t num_own = enter(own_, 1, &common);
  const size_t num_other = enter(others, 2, &common);
  return static_cast<double>(common) / static_cast<double>(num_own + num_other - common);
}

}  // namespace reasonmill
