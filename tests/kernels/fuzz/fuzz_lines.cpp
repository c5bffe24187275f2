// Feeds lines of JSON, whole and damaged, to the reader of query files, and aborts where what it wrote is not what it
// reads: a record that was written from a line is a line again, of the same record, id and text. The filters' suspicions
// are asked about every text. Built with the sanitizers by fuzz.sh:  fuzz_lines SECONDS [SEED]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>

#include "core/query_lines.h"
#include "core/suspects.h"

using namespace reasonmill;

namespace {

using Random = std::mt19937_64;

const char* const kPieces[] = {
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d\\ude00", "\\udc00", "\\n", "\\\"", "\\/", "null", "true", "false",
    "0", "-0", "-12", "1.5", "1e5", "1e400", "123456789012345678901", " ", "\t", "\r", "\x01", "\x7f", "\xC3\xA9", "\xE4\xB8\xAD",
    "\xF0\x9F\x98\x80", "\xED\xA0\x80", "\xFF", "\xC3", "\xE2\x80\x9C", "\xEF\xBF\xBD", "the ", "of", "http://", "www.", "/", "|",
    "\\begin", "<t", "--+", "word ", "a b c d e f g h i j k l m n o p q r s t u v w x y z ",
};

const char* const kRows[] = {
    R"({"prompt": "Add 2 and 3.", "category": "math", "ground_truth": 5})",
    R"({"id": "a-1", "prompt": "\u00e9\n\"x\" \\frac", "source": "s\\t", "test_case": {"a": [1, 0.5, null, "b"], "c": {}}})",
    R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}], "tags": {"a": "b"}})",
    R"({"messages": [{"role": "human", "content": "one two"}, {"role": "gpt", "content": "a"}, {"role": "user", "content": ""}]})",
    R"({"conversations": [{"from": "human", "value": "q", "info": {"category": "code", "test_case": "{\"a\": 1}"}}], "system": "be"})",
    R"({"prompt": "x", "answer": "5", "ground_truth": null, "score": -0.25, "more": [[[]], {"a": {"a": {}}}]})",
};

std::string line_of(Random& random) {
  std::string line = kRows[random() % std::size(kRows)];
  for (size_t n = random() % 3 == 0 ? 0 : random() % 6; n > 0; --n) {
    const size_t at = random() % (line.size() + 1);
    switch (random() % 5) {
      case 0:
        line.erase(at, random() % 8);
        break;
      case 1:
        line.insert(at, 1, static_cast<char>(random()));
        break;
      case 2:
        line.insert(at, line.substr(random() % (line.size() + 1), random() % 60));
        break;
      default:
        line.insert(at, kPieces[random() % std::size(kPieces)]);
    }
  }
  if (random() % 64 == 0) line.insert(random() % (line.size() + 1), std::string(random() % 3000, "[{\"a\\ "[random() % 6]));
  return line;
}

void require(bool held, const char* what, const std::string& line) {
  if (held) return;
  std::fprintf(stderr, "%s: %s\n", what, line.c_str());
  std::abort();
}

// Reads bytes in a block of their exact size, so that a read beyond the end is seen.
QueryLines read(const std::string& bytes, const QueryRules& rules) {
  const auto held = std::make_unique<uint8_t[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), held.get());
  return read_query_lines(held.get(), bytes.size(), rules);
}

std::string part(const Bytes& bytes, int64_t begin, int64_t end) { return {bytes.begin() + begin, bytes.begin() + end}; }

std::string text_of(const QueryLines& lines, size_t i) {
  const QueryColumns& columns = lines.columns;
  if (columns.text_at[i] < 0) return part(columns.texts, lines.text_ends[i], lines.text_ends[i + 1]);
  const int64_t begin = lines.record_ends[i] + columns.text_at[i];
  return part(columns.records, begin, begin + columns.text_size[i]);
}

size_t round(Random& random, const QueryRules& rules) {
  std::string block;
  for (size_t n = random() % 20; n > 0; --n) block += line_of(random) + "\n";
  if (random() % 2 && !block.empty()) block.pop_back();
  const QueryLines lines = read(block, rules);
  const size_t count = lines.columns.categories.size();
  const QueryLines again = read({lines.columns.records.begin(), lines.columns.records.end()}, rules);
  require(again.odd.empty() && again.columns.records == lines.columns.records, "a record is read as another", block);
  require(again.columns.ids == lines.columns.ids, "a record has another id", block);
  for (size_t i = 0; i < count; ++i) {
    const std::string text = text_of(lines, i);
    require(text_of(again, i) == text, "a record has another text", block);
    const auto held = std::make_unique<uint8_t[]>(text.size());
    std::copy(text.begin(), text.end(), held.get());
    suspects_of({held.get(), text.size()});
  }
  const auto* bytes = reinterpret_cast<const uint8_t*>(block.data());
  const size_t max_lines = 1 + random() % 5, max_bytes = 1 + random() % 300;
  const WholeLines whole = whole_lines(bytes, block.size(), max_lines, max_bytes);
  require(whole.lines <= max_lines && (whole.lines < 2 || whole.bytes <= max_bytes), "too many lines", block);
  require(whole.lines == 0 || block[whole.bytes - 1] == '\n', "half a line", block);
  return count + lines.odd.size();
}

}  // namespace

int main(int count, char** arguments) {
  const double seconds = count > 1 ? std::atof(arguments[1]) : 10.0;
  Random random(count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 1);
  const std::string source = "\"q.jsonl\"";
  const QueryRules rules{.answer_keys = {"answer"},
                         .other_keys = {"question"},
                         .roles = {{"human", "user"}, {"gpt", "assistant"}, {"user", "user"}, {"assistant", "assistant"},
                                   {"system", "system"}},
                         .categories = {"math", "code", "other"},
                         .category = "other",
                         .source = Bytes(source.begin(), source.end())};
  const auto began = std::chrono::steady_clock::now();
  size_t rounds = 0, lines = 0;
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() < seconds) {
    lines += round(random, rules);
    ++rounds;
  }
  std::printf("%zu rounds, %zu lines, no finding\n", rounds, lines);
}
