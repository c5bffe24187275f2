// One line of a file as a query, by the rules of engine/store/readers.py (query_from_json, query_to_json), which says
// what is right. Only plain rows are taken: whatever it would refuse, or read in a way of its own, is left to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"

namespace reasonmill {

// What the rules are made of; all names are ASCII.
struct QueryRules {
  std::vector<std::string> answer_keys;                     // a row without a ground truth that has one is not plain
  std::vector<std::string> other_keys;                      // nor is one that has any of these
  std::vector<std::pair<std::string, std::string>> roles;   // as they stand in rows, and what they are
  std::vector<std::string> categories;                      // numbered from 0
  std::string category;                                     // of rows that name none
  Bytes source;                                             // of rows that name none, as JSON, quotes included
};

// What is appended for each query. Most texts stand in their record as they are: from text_at on, text_size bytes of it.
// Others, whose text_at is -1, are in texts.
struct QueryColumns {
  Bytes ids, texts, records, categories;
  std::vector<int32_t> text_at, text_size;
};

// Reads lines; kept by each thread and reused.
class QueryReader {
 public:
  explicit QueryReader(const QueryRules& rules) : rules_(rules) {}

  // Appends the query of a line, or nothing and returns false.
  bool read(const uint8_t* begin, const uint8_t* end, QueryColumns* out);

 private:
  // What the row itself and the `info` of a released row may both say.
  struct Origin {
    JsonValue category, source, ground_truth, test_case, constraint;

    JsonValue* find(std::string_view name);
  };
  struct Turn {
    JsonValue role, content, from, value, info;
  };
  struct Message {
    const std::string* role;
    JsonString content;
  };

  bool read_row(JsonCursor* cursor);
  bool read_turns(JsonCursor* cursor, std::vector<Turn>* turns, bool* is_given);
  bool find_info();
  bool find_messages();
  bool add_messages(const std::vector<Turn>& turns, JsonValue Turn::*role, JsonValue Turn::*content);
  bool find_category();
  bool write(QueryColumns* out);
  bool write_id(Bytes* ids);
  bool write_object(const JsonValue& own, const JsonValue& of_info, Bytes* out);
  bool write_ground_truth(Bytes* out);
  bool write_tags(Bytes* out);

  const QueryRules& rules_;
  Origin row_, info_;
  JsonValue id_, system_, tags_, prompt_;
  std::vector<Turn> messages_given_, conversations_;
  bool has_messages_, has_conversations_, has_answer_;
  std::vector<Message> messages_;
  size_t category_;
  Bytes contents_;                 // of the messages, decoded, one after the other
  std::vector<size_t> content_end_;
  Bytes scratch_;
};

}  // namespace reasonmill
