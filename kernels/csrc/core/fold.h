// First step of reading a text: characters become what they count as. kernels/tokens.py states the rules.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/isa.h"

namespace reasonmill {

// Leads a token that is a mathematical sign outside ASCII; no UTF-8 holds this byte.
inline constexpr uint8_t kSignMark = 0xFF;

// Bytes that fold_text may write for a text.
inline size_t folded_room(size_t length) { return 4 * length + kPadding; }

// Writes the folded text, returns its length; `has_marks` says whether it holds a kSignMark. `folded[-1]` must be a space.
size_t fold_text(const uint8_t* text, size_t length, const uint32_t* table, uint8_t* folded, bool* has_marks);

}  // namespace reasonmill
