// Which of many keys are among some others: what of an index on disk may matter to new texts.
#pragma once

#include <cstddef>
#include <cstdint>

namespace reasonmill {

// Sets marks[i] where known[i] is one of the keys and not 0. All known keys are read once, in order.
void mark_known(const uint64_t* known, size_t num_known, const uint64_t* keys, size_t num_keys, size_t threads,
                uint8_t* marks);

}  // namespace reasonmill
