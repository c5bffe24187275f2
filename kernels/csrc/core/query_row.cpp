#include "core/query_row.h"

#include <algorithm>

#include "core/xxh3.h"

namespace reasonmill {
namespace {

bool is_nothing(const JsonValue& value) { return value.kind == JsonKind::kAbsent || value.kind == JsonKind::kNull; }

// Whether Python takes the value for nothing (`or`): absent, null or "". `sure` says false for what is neither that nor
// a string: such values are others' to judge.
bool is_empty(const JsonValue& value, bool* sure) {
  if (is_nothing(value)) return true;
  *sure &= value.kind == JsonKind::kString;
  return value.text.length == 0;
}

// A member that is known may stand once: which of two counts is a matter of the reader.
bool read_once(JsonCursor* cursor, JsonValue* out) {
  return out->kind == JsonKind::kAbsent && cursor->value(out);
}

bool is_one_of(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool read_other(JsonCursor* cursor) {
  JsonValue ignored;
  return cursor->value(&ignored);
}

}  // namespace

JsonValue* QueryReader::Origin::find(std::string_view name) {
  if (name == "category") return &category;
  if (name == "source") return &source;
  if (name == "ground_truth") return &ground_truth;
  if (name == "test_case") return &test_case;
  if (name == "instruction_constrain") return &constraint;
  return nullptr;
}

bool QueryReader::read(const uint8_t* begin, const uint8_t* end, QueryColumns* out) {
  JsonCursor cursor(begin, end);
  if (!read_row(&cursor) || !cursor.at_end()) return false;
  if (!find_info() || !find_messages() || !find_category()) return false;
  const size_t sizes[] = {out->ids.size(), out->texts.size(), out->records.size()};
  if (write(out)) return true;
  out->ids.resize(sizes[0]);
  out->texts.resize(sizes[1]);
  out->records.resize(sizes[2]);
  return false;
}

bool QueryReader::read_row(JsonCursor* cursor) {
  row_ = {};
  id_ = system_ = tags_ = prompt_ = {};
  has_messages_ = has_conversations_ = has_answer_ = false;
  messages_given_.clear();
  conversations_.clear();
  return cursor->object([&](std::string_view name) {
    if (JsonValue* known = row_.find(name)) return read_once(cursor, known);
    if (name == "prompt") return read_once(cursor, &prompt_);
    if (name == "id") return read_once(cursor, &id_);
    if (name == "system") return read_once(cursor, &system_);
    if (name == "tags") return read_once(cursor, &tags_);
    if (name == "messages") return read_turns(cursor, &messages_given_, &has_messages_);
    if (name == "conversations") return read_turns(cursor, &conversations_, &has_conversations_);
    has_answer_ |= is_one_of(rules_.answer_keys, name);
    return !is_one_of(rules_.other_keys, name) && read_other(cursor);
  });
}

// A list of objects, not empty, or null.
bool QueryReader::read_turns(JsonCursor* cursor, std::vector<Turn>* turns, bool* is_given) {
  if (*is_given) return false;
  if (cursor->peek() == 'n') return read_other(cursor);
  *is_given = true;
  const bool is_list = cursor->array([&] {
    Turn turn;
    const bool is_object = cursor->object([&](std::string_view name) {
      if (name == "role") return read_once(cursor, &turn.role);
      if (name == "content") return read_once(cursor, &turn.content);
      if (name == "from") return read_once(cursor, &turn.from);
      if (name == "value") return read_once(cursor, &turn.value);
      if (name == "info") return read_once(cursor, &turn.info);
      return read_other(cursor);
    });
    turns->push_back(turn);
    return is_object;
  });
  return is_list && !turns->empty();
}

// What the first turn with an `info` says of the row.
bool QueryReader::find_info() {
  info_ = {};
  for (const Turn& turn : conversations_) {
    if (turn.info.kind != JsonKind::kObject) continue;
    JsonCursor cursor(turn.info.text.bytes, turn.info.text.bytes + turn.info.text.length);
    return cursor.object([&](std::string_view name) {
      JsonValue* known = info_.find(name);
      return known ? read_once(&cursor, known) : read_other(&cursor);
    });
  }
  return true;
}

bool QueryReader::find_messages() {
  static const std::string system = "system", user = "user", assistant = "assistant";
  messages_.clear();
  if (has_messages_) {
    if (!add_messages(messages_given_, &Turn::role, &Turn::content)) return false;
  } else if (has_conversations_) {
    if (system_.kind == JsonKind::kString && system_.text.length > 0) messages_.push_back({&system, system_.text});
    if (!add_messages(conversations_, &Turn::from, &Turn::value)) return false;
  } else {
    if (prompt_.kind != JsonKind::kString) return false;
    messages_.push_back({&user, prompt_.text});
  }
  while (!messages_.empty() && *messages_.back().role == assistant) messages_.pop_back();
  return !messages_.empty() && *messages_.back().role == user;
}

bool QueryReader::add_messages(const std::vector<Turn>& turns, JsonValue Turn::*role, JsonValue Turn::*content) {
  for (const Turn& turn : turns) {
    const JsonValue& name = turn.*role;
    if (name.kind != JsonKind::kString || (turn.*content).kind != JsonKind::kString) return false;
    const auto known = std::find_if(rules_.roles.begin(), rules_.roles.end(),
                                    [&](const auto& one) { return one.first == name.text.raw(); });
    if (known == rules_.roles.end()) return false;
    messages_.push_back({&known->second, (turn.*content).text});
  }
  return true;
}

bool QueryReader::find_category() {
  bool sure = true;
  std::string_view chosen = rules_.category;
  if (!is_empty(row_.category, &sure)) {
    chosen = row_.category.text.raw();
  } else if (!is_empty(info_.category, &sure)) {
    chosen = info_.category.text.raw();
  }
  const auto known = std::find(rules_.categories.begin(), rules_.categories.end(), chosen);
  category_ = static_cast<size_t>(known - rules_.categories.begin());
  return sure && known != rules_.categories.end();
}

bool QueryReader::write(QueryColumns* out) {
  contents_.clear();
  content_end_.clear();
  for (const Message& message : messages_) {
    append_decoded(message.content, &contents_);
    content_end_.push_back(contents_.size());
  }
  const size_t id_begin = out->ids.size();
  if (!write_id(&out->ids)) return false;

  Bytes& record = out->records;
  const size_t record_begin = record.size();
  const bool is_alone = messages_.size() == 1;
  int32_t text_at = -1, text_size = 0;
  append("{\"id\":\"", &record);
  append_escaped(out->ids.data() + id_begin, out->ids.size() - id_begin, &record);
  append("\",\"messages\":[", &record);
  bool has_text = false;
  for (size_t i = 0, begin = 0; i < messages_.size(); begin = content_end_[i++]) {
    const Message& message = messages_[i];
    append(i == 0 ? "{\"role\":\"" : ",{\"role\":\"", &record);
    append(*message.role, &record);
    append("\",\"content\":\"", &record);
    const size_t size = content_end_[i] - begin, content_begin = record.size();
    if (message.content.is_escaped) {
      append_escaped(contents_.data() + begin, size, &record);
    } else {
      append(message.content.raw(), &record);
    }
    if (is_alone && record.size() - content_begin == size) {
      text_at = static_cast<int32_t>(content_begin - record_begin);
      text_size = static_cast<int32_t>(size);
    }
    append("\"}", &record);
    if (*message.role == "system" || text_at >= 0) continue;
    if (has_text) out->texts.push_back('\n');
    has_text = true;
    append(contents_.data() + begin, size, &out->texts);
  }
  append("],\"category\":\"", &record);
  append(rules_.categories[category_], &record);
  append("\",\"source\":", &record);
  bool sure = true;
  const bool has_own = !is_empty(row_.source, &sure);
  const JsonValue& source = has_own ? row_.source : info_.source;
  if (is_empty(source, &sure)) {
    append(rules_.source.data(), rules_.source.size(), &record);
  } else if (sure) {
    append_string(source.text, &record);
  }
  append(",\"ground_truth\":", &record);
  if (!sure || !write_ground_truth(&record)) return false;
  append(",\"test_case\":", &record);
  if (!write_object(row_.test_case, info_.test_case, &record)) return false;
  append(",\"instruction_constrain\":", &record);
  if (!write_object(row_.constraint, info_.constraint, &record) || !write_tags(&record)) return false;
  append("}\n", &record);
  out->categories.push_back(static_cast<uint8_t>(category_));
  out->text_at.push_back(text_at);
  out->text_size.push_back(text_size);
  return true;
}

// The id that is given, or of the content (engine/records.py: content_id).
bool QueryReader::write_id(Bytes* ids) {
  bool sure = true;
  if (id_.kind == JsonKind::kInteger) {
    append(id_.text.raw(), ids);
    return true;
  }
  if (!is_empty(id_, &sure)) {
    if (sure) append_decoded(id_.text, ids);
    return sure;
  }
  scratch_.clear();
  const auto begin_part = [&](uint64_t length) {
    for (size_t shift = 0; shift < 64; shift += 8) scratch_.push_back(static_cast<uint8_t>(length >> shift));
  };
  const std::string& category = rules_.categories[category_];
  begin_part(category.size());
  append(category, &scratch_);
  for (size_t i = 0, begin = 0; i < messages_.size(); begin = content_end_[i++]) {
    const std::string& role = *messages_[i].role;
    begin_part(role.size() + 1 + content_end_[i] - begin);
    append(role, &scratch_);
    scratch_.push_back('\n');
    append(contents_.data() + begin, content_end_[i] - begin, &scratch_);
  }
  if (scratch_.size() < kLeastHashed) return false;
  const Hash128 hash = xxh3_128(scratch_.data(), scratch_.size());
  for (const uint64_t half : {hash.high, hash.low}) {
    for (size_t shift = 64; shift > 0; shift -= 4) ids->push_back("0123456789abcdef"[half >> (shift - 4) & 15]);
  }
  return true;
}

bool QueryReader::write_ground_truth(Bytes* out) {
  const JsonValue& given = is_nothing(row_.ground_truth) ? info_.ground_truth : row_.ground_truth;
  bool sure = true;
  if (has_answer_ && is_empty(given, &sure)) return false;
  if (is_nothing(given)) {
    append("null", out);
  } else if (given.kind == JsonKind::kString || given.kind == JsonKind::kInteger) {
    append_string(given.text, out);
  } else {
    return false;
  }
  return true;
}

// An object, one that stands as JSON in a string, or nothing.
bool QueryReader::write_object(const JsonValue& own, const JsonValue& of_info, Bytes* out) {
  const JsonValue& given = is_nothing(own) ? of_info : own;
  bool sure = true;
  if (is_empty(given, &sure)) {
    append("null", out);
    return true;
  }
  if (given.kind == JsonKind::kObject) return append_object(given.text, out);
  if (given.kind != JsonKind::kString) return false;
  if (!given.text.is_escaped) return append_object(given.text, out);
  scratch_.clear();
  append_decoded(given.text, &scratch_);
  return append_object({scratch_.data(), scratch_.size(), false}, out);
}

// Labels: an object of strings; anything else under this name is left out.
bool QueryReader::write_tags(Bytes* out) {
  if (tags_.kind != JsonKind::kObject) return true;
  scratch_.clear();
  bool only_strings = false;
  if (!append_object(tags_.text, &scratch_, &only_strings)) return false;
  if (!only_strings || scratch_.size() == 2) return true;
  append(",\"tags\":", out);
  append(scratch_.data(), scratch_.size(), out);
  return true;
}

}  // namespace reasonmill
