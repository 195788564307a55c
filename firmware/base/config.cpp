// SPDX-License-Identifier: Apache-2.0
#include "base/config.hpp"

#include <algorithm>
#include <charconv>
#include <expected>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam {

using Json = nlohmann::json;

namespace {

constexpr std::size_t max_shown = 200;

/// Checks a document while the parser runs, and stops the parser.
class Strictness {
 public:
  using Event = Json::parse_event_t;
  explicit Strictness(int max_depth) : max_depth_(max_depth) {}
  bool allow(int around, Event event, const Json& parsed) {
    if (wrong_) return false;
    const bool starts = event == Event::object_start || event == Event::array_start;
    if (starts && around >= max_depth_) wrong_ = sealcam::format("nested more than {} deep", around);
    if (event == Event::object_start) names_.emplace_back();
    if (event == Event::object_end) names_.pop_back();
    if (event == Event::key && !names_.back().insert(parsed.get<std::string>()).second)
      wrong_ = sealcam::format("{} occurs twice", printable(parsed.get<std::string>(), max_shown));
    return !wrong_;
  }
  [[nodiscard]] const std::optional<std::string>& wrong() const noexcept { return wrong_; }

 private:
  int max_depth_;
  std::vector<std::set<std::string>> names_;  // of the enclosing objects
  std::optional<std::string> wrong_;
};

/// Line and column, both from 1; a column is a byte.
std::string place(std::string_view text, std::size_t byte) {
  const auto before = text.substr(0, byte == 0 ? 0 : std::min(byte - 1, text.size()));
  const auto line = std::ranges::count(before, '\n') + 1;
  const auto column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
  return sealcam::format("line {}, column {}, or just before", line, column);
}

/// Editors and office programs store more than plain text in UTF-8. The parser would only report a place.
std::optional<std::string_view> editor_form(std::string_view text) {
  const auto zero = [&](std::size_t at) { return text[at] == '\0'; };
  const bool alternating =
      text.size() >= 4 && text.size() % 2 == 0 && zero(0) != zero(1) && zero(2) == zero(0) && zero(3) == zero(1);
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") || alternating)
    return "the text is UTF-16; save it as UTF-8";
  if (text.starts_with("{\\rtf")) return "this is a document in RTF; save it as plain text";
  if (text.starts_with("PK\x03\x04")) return "this is a document of an office program; save it as plain text";
  return std::nullopt;
}

/// The next step for what editors often do near the byte at which the parser stopped.
std::string_view hint(std::string_view text, const Json::parse_error& error) {
  if (text.empty()) return "; the file is empty";
  if (std::string_view(error.what()).contains("ill-formed UTF-8")) return "; save the text as UTF-8";
  const auto at = error.byte == 0 ? 0 : std::min(error.byte - 1, text.size());
  const auto around = text.substr(at - std::min<std::size_t>(at, 2), 5);  // the parser may stop within a character
  for (const std::string_view quote : {"\u201c", "\u201d", "\u201e", "\u2018", "\u2019", "\u00ab", "\u00bb"})
    if (around.contains(quote)) return "; replace typographic quotes by straight ones";
  return "";
}

}  // namespace

std::optional<std::string> json_error(std::string_view text, const JsonRules& rules) {
  if (const auto form = editor_form(text)) return sealcam::format("not valid JSON: {}", *form);
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    return sealcam::format("not valid JSON: a NUL byte at {}{}", place(text, nul + 1),
                           nul == 0 ? "; the file was not written completely" : "");
  Strictness strict(rules.max_depth);
  const auto within = [&](int around, Json::parse_event_t event, const Json& parsed) {
    return strict.allow(around, event, parsed);
  };
  std::optional<std::string> invalid;
  try {
    [[maybe_unused]] const auto parsed = Json::parse(text, within, /*allow_exceptions=*/true, rules.comments);
  } catch (const Json::parse_error& error) {  // its message quotes the text
    invalid = sealcam::format("not valid JSON: {}{}", place(text, error.byte), hint(text, error));
  } catch (const Json::exception&) {
    invalid = "not valid JSON: a number is too large";
  }
  return strict.wrong() ? strict.wrong() : invalid;
}

namespace {

constexpr std::size_t max_place = 200;

/// The document, or the reason for the failure.
std::expected<Json, std::string> parse_strictly(std::string_view text) {
  if (auto error = json_error(text, {.max_depth = ConfigReader::max_depth, .comments = true}))
    return std::unexpected(std::move(*error));
  auto root = Json::parse(text, nullptr, true, /*ignore_comments=*/true);
  if (!root.is_object()) return std::unexpected("must be a JSON object");
  return root;
}

}  // namespace

std::optional<TextSize> parse_size(std::string_view text) {
  TextSize size;
  const char* const end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), text.data() + text.size(), size.width);
  if (width.ec != std::errc{} || width.ptr == end || *width.ptr != 'x') return std::nullopt;
  const auto height = std::from_chars(width.ptr + 1, end, size.height);
  if (height.ec != std::errc{} || height.ptr != end) return std::nullopt;
  return size;
}

struct ConfigReader::State {
  Json root = Json::object();
  std::string source;
  std::set<std::string, std::less<>> used;        // values
  std::set<std::string, std::less<>> containers;  // objects and lists that the program listed with keys() or size()
  std::optional<std::string> error;

  /// The names in the pointer come from outside, for example from an SD card. Therefore they are made printable.
  void note(std::string_view pointer, std::string_view why) {
    if (!error)
      error = sealcam::format("{}{}{}: {}", source, source.empty() ? "" : ": ",
                              pointer.empty() ? "/" : printable(pointer, max_place), why);
  }
  const Json* find(std::string_view pointer) const {
    const Json::json_pointer p{std::string(pointer)};
    return root.contains(p) ? &root.at(p) : nullptr;
  }
  const Json* take(std::string_view pointer) {
    used.emplace(pointer);
    return find(pointer);
  }
  /// An empty object or list is known if the program read a member of it.
  bool may_be_empty(const Json& value, const std::string& at) const {
    if (at.empty() || containers.contains(at)) return true;
    const std::string members = at + "/";
    const auto first = used.lower_bound(members);
    return value.is_object() && first != used.end() && first->starts_with(members);
  }
  void reject_unknown(const Json& value, const std::string& at) {
    if (used.contains(at)) return;
    if (value.is_object()) {
      for (const auto& [key, child] : value.items()) {
        Json::json_pointer p{at};
        p.push_back(key);
        reject_unknown(child, p.to_string());
      }
    } else if (value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) reject_unknown(value[i], sealcam::format("{}/{}", at, i));
    }
    if (!value.is_structured() || (value.empty() && !may_be_empty(value, at))) note(at, "unknown setting");
  }
};

ConfigReader::ConfigReader(std::string_view json) : state_(std::make_unique<State>()) {
  auto root = parse_strictly(json);
  if (root) state_->root = std::move(*root);
  else state_->note("", root.error());
}

ConfigReader ConfigReader::from_file(const std::filesystem::path& path, bool optional) {
  const auto content = read_file(path, 1 << 20);
  if (content) {
    ConfigReader reader(as_text(*content));
    reader.state_->source = path.string();
    if (reader.state_->error) reader.state_->error = sealcam::format("{}: {}", path.string(), *reader.state_->error);
    return reader;
  }
  ConfigReader reader("{}");
  if (!optional || content.error().code != Errc::not_found)
    reader.state_->error = to_string(located(content.error(), path.native()));
  return reader;
}

ConfigReader::ConfigReader(ConfigReader&&) noexcept = default;
ConfigReader& ConfigReader::operator=(ConfigReader&&) noexcept = default;
ConfigReader::~ConfigReader() = default;

std::optional<std::string> ConfigReader::optional_text(std::string_view pointer) {
  const Json* v = state_->take(pointer);
  if (v == nullptr) return std::nullopt;
  if (!v->is_string()) {
    state_->note(pointer, "must be a text");
    return std::nullopt;
  }
  return v->get<std::string>();
}

std::string ConfigReader::text(std::string_view pointer, std::string_view fallback) {
  return optional_text(pointer).value_or(std::string(fallback));
}

std::string ConfigReader::required_text(std::string_view pointer) {
  if (state_->find(pointer) == nullptr) state_->note(pointer, "is missing");
  return optional_text(pointer).value_or("");
}

std::int64_t ConfigReader::integer(std::string_view pointer, std::int64_t fallback, std::int64_t min,
                                   std::int64_t max) {
  const Json* v = state_->take(pointer);
  if (v == nullptr) return fallback;
  const bool fits = v->is_number_integer() && (!v->is_number_unsigned() || v->get<std::uint64_t>() <= INT64_MAX);
  if (!fits || v->get<std::int64_t>() < min || v->get<std::int64_t>() > max) {
    state_->note(pointer, sealcam::format("must be a whole number from {} to {}", min, max));
    return fallback;
  }
  return v->get<std::int64_t>();
}

double ConfigReader::number(std::string_view pointer, double fallback, double min, double max) {
  const Json* v = state_->take(pointer);
  if (v == nullptr) return fallback;
  if (!v->is_number() || v->get<double>() < min || v->get<double>() > max) {
    state_->note(pointer, sealcam::format("must be a number from {} to {}", min, max));
    return fallback;
  }
  return v->get<double>();
}

bool ConfigReader::boolean(std::string_view pointer, bool fallback) {
  const Json* v = state_->take(pointer);
  if (v == nullptr) return fallback;
  if (!v->is_boolean()) {
    state_->note(pointer, "must be true or false");
    return fallback;
  }
  return v->get<bool>();
}

std::vector<std::string> ConfigReader::texts(std::string_view pointer) {
  const Json* v = state_->take(pointer);
  std::vector<std::string> out;
  if (v == nullptr) return out;
  if (!v->is_array()) state_->note(pointer, "must be a list of texts");
  for (const Json& item : v->is_array() ? *v : Json::array()) {
    if (item.is_string()) out.push_back(item.get<std::string>());
    else state_->note(pointer, "must be a list of texts");
  }
  return out;
}

bool ConfigReader::has(std::string_view pointer) const { return state_->find(pointer) != nullptr; }

bool ConfigReader::is_text(std::string_view pointer) const {
  const Json* v = state_->find(pointer);
  return v != nullptr && v->is_string();
}

std::vector<std::string> ConfigReader::keys(std::string_view pointer) {
  const Json* v = state_->find(pointer);
  state_->containers.emplace(pointer);
  std::vector<std::string> names;
  if (v == nullptr) return names;
  if (!v->is_object()) state_->note(pointer, "must be an object");
  else
    for (const auto& item : v->items()) names.push_back(item.key());
  return names;
}

std::size_t ConfigReader::size(std::string_view pointer) {
  const Json* v = state_->find(pointer);
  state_->containers.emplace(pointer);
  if (v == nullptr) return 0;
  if (!v->is_array()) {
    state_->note(pointer, "must be a list");
    return 0;
  }
  return v->size();
}

void ConfigReader::reject(std::string_view pointer, std::string_view why) { state_->note(pointer, why); }

std::optional<std::string> ConfigReader::finish() {
  if (!state_->error) state_->reject_unknown(state_->root, "");
  return state_->error;
}

}  // namespace sealcam
