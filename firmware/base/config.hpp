// SPDX-License-Identifier: Apache-2.0
/// Strict JSON: the check of all JSON (RFC 8259) from outside, and the reader for configuration files. The program
/// reads every value by name. Other members are errors, including empty objects and lists. Messages contain the JSON
/// Pointer (RFC 6901), made printable and cut to 200 bytes. Thread-bound.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sealcam {

struct JsonRules {
  int max_depth = 16;     ///< levels of objects and lists, including the outermost
  bool comments = false;  ///< files that people write may contain // and /* */
};

/// The reason why the text is not valid, without any of the text, which may be secret; nothing if it can be parsed.
/// Also rejects two members of one name in one object, and more levels than `max_depth`, so that later recursion
/// needs little stack. Rejects NUL bytes, which the library takes for the end of the text. Reentrant.
[[nodiscard]] std::optional<std::string> json_error(std::string_view text, const JsonRules& rules = {});

/// Width and height.
struct TextSize {
  std::uint32_t width = 0, height = 0;
};
/// Parses "1280x720"; nothing for any other form. The caller checks the range.
[[nodiscard]] std::optional<TextSize> parse_size(std::string_view text);

/// Keeps the first error, so that getters return plain values. Read all values, then call finish().
class ConfigReader {
 public:
  /// Levels of objects and lists, including the outermost.
  static constexpr int max_depth = 16;

  /// finish() reports the errors: not JSON (with line and column, without any of the text), not an object, more levels
  /// than `max_depth`, or two members with the same name in one object.
  explicit ConfigReader(std::string_view json);
  /// Reads a file of at most 1 MiB; a missing file counts as `{}` if `optional`.
  static ConfigReader from_file(const std::filesystem::path& path, bool optional);
  ConfigReader(ConfigReader&&) noexcept;
  ConfigReader& operator=(ConfigReader&&) noexcept;
  ~ConfigReader();

  /// Getters take a JSON Pointer ("/broker/host") and return `fallback` if the value is absent. A value of another type
  /// or out of range is an error.
  [[nodiscard]] std::string text(std::string_view pointer, std::string_view fallback);
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view pointer);
  /// An absent value is an error.
  [[nodiscard]] std::string required_text(std::string_view pointer);
  [[nodiscard]] std::int64_t integer(std::string_view pointer, std::int64_t fallback, std::int64_t min,
                                     std::int64_t max);
  [[nodiscard]] double number(std::string_view pointer, double fallback, double min, double max);
  [[nodiscard]] bool boolean(std::string_view pointer, bool fallback);
  /// Empty if absent.
  [[nodiscard]] std::vector<std::string> texts(std::string_view pointer);
  [[nodiscard]] bool has(std::string_view pointer) const;
  /// True if the value is a text, for settings that are a number or a word.
  [[nodiscard]] bool is_text(std::string_view pointer) const;
  /// Names of the members of an object; empty if absent. The caller reads them as "/pointer/name".
  [[nodiscard]] std::vector<std::string> keys(std::string_view pointer);
  /// Number of elements of an array; 0 if absent. The caller reads them as "/pointer/0" ….
  [[nodiscard]] std::size_t size(std::string_view pointer);

  /// Records an error of the caller: the value has the right type but an invalid content.
  void reject(std::string_view pointer, std::string_view why);
  /// The first error as a sentence, or nothing. A value that the program did not read is an error.
  [[nodiscard]] std::optional<std::string> finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sealcam
