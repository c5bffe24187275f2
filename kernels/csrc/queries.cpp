#include "queries.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "arrays.h"
#include "core/query_lines.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace reasonmill {
namespace {

QueryRules rules_of(std::vector<std::string> answer_keys, std::vector<std::string> other_keys,
                    std::vector<std::pair<std::string, std::string>> roles, std::vector<std::string> categories,
                    std::string category, const nb::bytes& source) {
  const auto* begin = reinterpret_cast<const uint8_t*>(source.c_str());
  return {std::move(answer_keys), std::move(other_keys), std::move(roles), std::move(categories), std::move(category),
          Bytes(begin, begin + source.size())};
}

// Ids, texts and records, each as bytes and ends; categories; text_at; text_size; odd lines: queries before, line, begin, end.
nb::tuple read_lines(In<uint8_t, 1> content, const QueryRules& rules) {
  QueryLines lines;
  {
    nb::gil_scoped_release release;
    lines = read_query_lines(content.data(), content.shape(0), rules);
  }
  auto odd = new_matrix<int64_t>(lines.odd.size(), 4);
  for (size_t i = 0; i < lines.odd.size(); ++i) {
    const OddLine& line = lines.odd[i];
    std::copy_n(std::initializer_list<int64_t>{line.queries, line.line, line.begin, line.end}.begin(), 4,
                odd.data() + 4 * i);
  }
  return nb::make_tuple(taken(std::move(lines.columns.ids)), taken(std::move(lines.id_ends)),
                        taken(std::move(lines.columns.texts)), taken(std::move(lines.text_ends)),
                        taken(std::move(lines.columns.records)), taken(std::move(lines.record_ends)),
                        taken(std::move(lines.columns.categories)), taken(std::move(lines.columns.text_at)),
                        taken(std::move(lines.columns.text_size)), odd);
}

std::pair<size_t, size_t> find_whole_lines(In<uint8_t, 1> content, size_t max_lines, size_t max_bytes) {
  nb::gil_scoped_release release;
  const WholeLines whole = whole_lines(content.data(), content.shape(0), max_lines, max_bytes);
  return {whole.bytes, whole.lines};
}

}  // namespace

void bind_queries(nb::module_& m) {
  nb::class_<QueryRules>(m, "QueryRules")
      .def("__init__", [](QueryRules* self, std::vector<std::string> answer_keys,
                          std::vector<std::string> other_keys,
                          std::vector<std::pair<std::string, std::string>> roles, std::vector<std::string> categories,
                          std::string category, const nb::bytes& source) {
        new (self) QueryRules(rules_of(std::move(answer_keys), std::move(other_keys), std::move(roles),
                                       std::move(categories), std::move(category), source));
      }, "answer_keys"_a, "other_keys"_a, "roles"_a, "categories"_a, "category"_a, "source"_a);
  m.def("read_query_lines", &read_lines, "content"_a, "rules"_a);
  m.def("whole_lines", &find_whole_lines, "content"_a, "max_lines"_a, "max_bytes"_a);
}

}  // namespace reasonmill
