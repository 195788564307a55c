// SPDX-License-Identifier: Apache-2.0
/// The part of JSON Schema 2020-12 that board/board.schema.json uses. Throws for any other keyword, so that no rule of
/// the schema is ignored.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <stdexcept>
#include <string>

namespace sealcam::test {

class MiniSchema {
 public:
  explicit MiniSchema(nlohmann::json root) : root_(std::move(root)) {}
  [[nodiscard]] bool accepts(const nlohmann::json& value) const { return accepts(root_, value); }

  /// "#/$defs/led.path" of every property of every object.
  [[nodiscard]] std::set<std::string> properties() const {
    std::set<std::string> all;
    collect(root_, "", all);
    for (const auto& [name, schema] : root_.at("$defs").items()) collect(schema, name, all);
    return all;
  }

 private:
  using Json = nlohmann::json;

  static void collect(const Json& schema, const std::string& of, std::set<std::string>& into) {
    if (!schema.contains("properties")) return;
    for (const auto& [key, unused] : schema.at("properties").items()) into.insert(of + "." + key);
  }

  [[nodiscard]] bool accepts(const Json& schema, const Json& value) const {
    return std::ranges::all_of(schema.items(),
                               [&](const auto& rule) { return holds(schema, rule.key(), rule.value(), value); });
  }

  [[nodiscard]] bool holds(const Json& schema, const std::string& key, const Json& rule, const Json& value) const {
    static const std::set<std::string> logs_nothing = {"$schema", "$defs", "title", "description"};
    if (logs_nothing.contains(key)) return true;
    if (key == "$ref") return accepts(root_.at(Json::json_pointer(rule.get<std::string>().substr(1))), value);
    if (key == "const") return value == rule;
    if (key == "enum") return std::ranges::contains(rule, value);
    if (key == "oneOf") return std::ranges::count_if(rule, [&](const Json& s) { return accepts(s, value); }) == 1;
    if (key == "type") return is(rule, value);
    // The other keywords apply to one type only. They accept all values of other types.
    if (key == "minLength") return !value.is_string() || value.get<std::string>().size() >= rule;
    if (key == "pattern")
      return !value.is_string() || std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>()));
    if (key == "minimum") return !value.is_number() || value >= rule;
    if (key == "maximum") return !value.is_number() || value <= rule;
    if (key == "minItems") return !value.is_array() || value.size() >= rule;
    if (key == "items")
      return !value.is_array() || std::ranges::all_of(value, [&](const Json& v) { return accepts(rule, v); });
    if (!value.is_object() && (key == "required" || key == "properties" || key == "additionalProperties")) return true;
    if (key == "required")
      return std::ranges::all_of(rule, [&](const Json& k) { return value.contains(k.get<std::string>()); });
    if (key == "properties")
      return std::ranges::all_of(rule.items(), [&](const auto& p) {
        return !value.contains(p.key()) || accepts(p.value(), value.at(p.key()));
      });
    if (key == "additionalProperties" && rule == false)
      return std::ranges::all_of(value.items(),
                                 [&](const auto& p) { return schema.at("properties").contains(p.key()); });
    throw std::runtime_error("the schema uses a keyword that this test does not support: " + key);
  }

  static bool is(const std::string& type, const Json& value) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "integer") return value.is_number_integer();
    throw std::runtime_error("the schema uses a type that this test does not support: " + type);
  }

  Json root_;
};

}  // namespace sealcam::test
