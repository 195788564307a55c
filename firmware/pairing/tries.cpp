// SPDX-License-Identifier: Apache-2.0
#include "pairing/tries.hpp"

#include <algorithm>
#include <charconv>
#include <format>
#include <optional>

#include "core/file.hpp"

namespace sealcam::pairing {

namespace {

constexpr std::size_t largest_file = 256;
constexpr std::size_t boot_id_size = 36;  // a UUID

/// "<boot id> <number>\n"; nothing when it is something else.
std::optional<std::pair<std::string_view, unsigned>> parse(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos || !text.ends_with('\n')) return std::nullopt;
  unsigned used = 0;
  const char* const last = text.data() + text.size() - 1;
  const auto [end, error] = std::from_chars(text.data() + space + 1, last, used);
  if (error != std::errc() || end != last) return std::nullopt;
  return std::pair(text.substr(0, space), used);
}

}  // namespace

Result<FileTryCounter> FileTryCounter::open(std::filesystem::path file, std::string boot) {
  const auto content = read_file(file, largest_file);
  if (!content && content.error().code == Errc::not_found) return FileTryCounter(std::move(file), std::move(boot), 0);
  if (!content && content.error().code != Errc::exhausted) return std::unexpected(content.error());
  const auto before = content ? parse(as_text(*content)) : std::nullopt;
  if (before) {
    const unsigned used = before->first == boot ? before->second : 0;
    return FileTryCounter(std::move(file), std::move(boot), used);
  }
  // Whoever damaged it gets no new tries in this boot; the next one starts from a file that can be read.
  FileTryCounter counter(std::move(file), std::move(boot), damaged);
  if (auto r = counter.store(); !r) return std::unexpected(r.error());
  return counter;
}

Result<> FileTryCounter::do_count() {
  ++used_;
  return store();
}

Result<> FileTryCounter::store() const {
  const auto text = std::format("{} {}\n", boot_, used_);
  return write_file_durably(file_, as_bytes(text));
}

Result<std::string> boot_id() {
  const auto content = read_file("/proc/sys/kernel/random/boot_id", largest_file);
  if (!content) return std::unexpected(content.error());
  std::string id(as_text(*content));
  while (id.ends_with('\n')) id.pop_back();
  const bool is_uuid = id.size() == boot_id_size && std::ranges::all_of(id, [](char c) {
                         return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '-';
                       });
  if (!is_uuid) return fail(Errc::malformed, "the kernel's boot id");
  return id;
}

}  // namespace sealcam::pairing
