// SPDX-License-Identifier: Apache-2.0
/// The files of page/, built into the program: a hub serves its page from nowhere else. Reentrant.
#pragma once

#include <span>
#include <string_view>

namespace sealcam::hub::web {

struct EmbeddedFile {
  std::string_view name;  ///< within page/
  std::string_view content;
};

[[nodiscard]] std::span<const EmbeddedFile> page_files() noexcept;

}  // namespace sealcam::hub::web
