#include "core/query_lines.h"

#include <algorithm>
#include <cstring>

namespace reasonmill {
namespace {

constexpr size_t kAround = 224;  // bytes of a record beside what stands in its line

const uint8_t* end_of_line(const uint8_t* at, const uint8_t* end) {
  const void* newline = std::memchr(at, '\n', static_cast<size_t>(end - at));
  return newline ? static_cast<const uint8_t*>(newline) + 1 : end;
}

bool is_blank(const uint8_t* at, const uint8_t* end) {
  return std::all_of(at, end, [](uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; });
}

}  // namespace

QueryLines read_query_lines(const uint8_t* bytes, size_t length, const QueryRules& rules) {
  QueryLines lines;
  QueryReader reader(rules);
  QueryColumns& columns = lines.columns;
  const auto num_lines = static_cast<size_t>(std::count(bytes, bytes + length, static_cast<uint8_t>('\n'))) + 1;
  columns.ids.reserve(32 * num_lines);
  columns.texts.reserve(length);
  columns.records.reserve(length + (kAround + rules.source.size()) * num_lines);
  const uint8_t* end = bytes + length;
  int64_t line = 0;
  for (const uint8_t *at = bytes, *next; at < end; at = next, ++line) {
    next = end_of_line(at, end);
    if (is_blank(at, next)) continue;
    if (reader.read(at, next, &columns)) {
      lines.id_ends.push_back(static_cast<int64_t>(columns.ids.size()));
      lines.text_ends.push_back(static_cast<int64_t>(columns.texts.size()));
      lines.record_ends.push_back(static_cast<int64_t>(columns.records.size()));
    } else {
      lines.odd.push_back({static_cast<int64_t>(lines.id_ends.size()) - 1, line, at - bytes, next - bytes});
    }
  }
  return lines;
}

WholeLines whole_lines(const uint8_t* bytes, size_t length, size_t max_lines, size_t max_bytes) {
  WholeLines whole;
  while (whole.lines < max_lines && whole.bytes < length) {
    const void* newline = std::memchr(bytes + whole.bytes, '\n', length - whole.bytes);
    if (newline == nullptr) break;
    const auto end = static_cast<size_t>(static_cast<const uint8_t*>(newline) - bytes) + 1;
    if (whole.lines > 0 && end > max_bytes) break;
    whole = {end, whole.lines + 1};
  }
  return whole;
}

}  // namespace reasonmill
