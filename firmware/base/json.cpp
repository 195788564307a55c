// SPDX-License-Identifier: Apache-2.0
#include "base/json.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "base/format.hpp"

namespace sealcam {

using Json = nlohmann::json;

namespace {

constexpr std::size_t max_name = 200;

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
      wrong_ = sealcam::format("{} occurs twice", printable(parsed.get<std::string>(), max_name));
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

}  // namespace

std::optional<std::string> json_error(std::string_view text, const JsonRules& rules) {
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    return sealcam::format("not valid JSON: a NUL byte at {}", place(text, nul + 1));
  Strictness strict(rules.max_depth);
  const auto within = [&](int around, Json::parse_event_t event, const Json& parsed) {
    return strict.allow(around, event, parsed);
  };
  std::optional<std::string> invalid;
  try {
    (void)Json::parse(text, within, /*allow_exceptions=*/true, rules.comments);
  } catch (const Json::parse_error& error) {  // its message quotes the text
    invalid = sealcam::format("not valid JSON: {}", place(text, error.byte));
  } catch (const Json::exception&) {
    invalid = "not valid JSON: a number is too large";
  }
  return strict.wrong() ? strict.wrong() : invalid;
}

}  // namespace sealcam
