// SPDX-License-Identifier: Apache-2.0
#include "hub/web/page.hpp"

#include <array>
#include <utility>

#include "hub/web/page_files.hpp"

namespace sealcam::hub::web {
namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 4> types{{
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".svg", "image/svg+xml"},
}};

std::string_view type_of(std::string_view name) noexcept {
  for (const auto& [ending, type] : types)
    if (name.ends_with(ending)) return type;
  return "application/octet-stream";
}

}  // namespace

std::optional<PageFile> find_page_file(std::string_view path) noexcept {
  if (!path.starts_with('/')) return std::nullopt;
  const auto name = path == "/" ? std::string_view("index.html") : path.substr(1);
  for (const auto& file : page_files())
    if (file.name == name) return PageFile{type_of(name), file.content};
  return std::nullopt;
}

}  // namespace sealcam::hub::web
