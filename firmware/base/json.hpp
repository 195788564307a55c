// SPDX-License-Identifier: Apache-2.0
/// The check of all JSON (RFC 8259) from outside: files, messages and bodies. nlohmann/json.hpp parses it afterwards.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sealcam {

struct JsonRules {
  int max_depth = 16;     ///< levels of objects and lists, including the outermost
  bool comments = false;  ///< files that people write may contain // and /* */
};

/// The reason why the text is not valid, without any of the text, which may be secret; nothing if it can be parsed.
/// Rejects what JSON leaves open: two members of one name in one object, and more levels than `max_depth`, so that
/// later recursion needs little stack. Rejects NUL bytes, which the library takes for the end of the text. Reentrant.
[[nodiscard]] std::optional<std::string> json_error(std::string_view text, const JsonRules& rules = {});

}  // namespace sealcam
