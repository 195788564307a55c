// SPDX-License-Identifier: Apache-2.0
/// JSON texts for the option --json. Members keep their order. Text that is not UTF-8 appears with replacement
/// characters.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "base/format.hpp"
#include "base/types.hpp"

namespace sealcam::owner {

[[nodiscard]] std::string json_text(std::string_view text);
[[nodiscard]] std::string json_text(double number);
[[nodiscard]] std::string json_text(const std::vector<DeviceId>& ids);

class JsonObject {
 public:
  template <class T>
  JsonObject& add(std::string_view name, const T& value) {
    members_ += (members_.empty() ? "" : ",") + json_text(name) + ":";
    if constexpr (std::same_as<T, bool>) members_ += value ? "true" : "false";
    else if constexpr (std::integral<T>) members_ += sealcam::format("{}", value);
    else if constexpr (requires { value.json(); }) members_ += value.json();
    else members_ += json_text(value);
    return *this;
  }
  [[nodiscard]] std::string json() const { return "{" + members_ + "}"; }

 private:
  std::string members_;
};

class JsonArray {
 public:
  void add(const JsonObject& object) { items_ += (items_.empty() ? "" : ",") + object.json(); }
  [[nodiscard]] std::string json() const { return "[" + items_ + "]"; }

 private:
  std::string items_;
};

/// Prints one line on standard output.
template <class Json>
void print_json(const Json& json) {
  sealcam::println("{}", json.json());
}

}  // namespace sealcam::owner
