// SPDX-License-Identifier: Apache-2.0
#include "stream/stores.hpp"

#include <charconv>
#include <format>

#include "core/file.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::stream {

Result<std::uint32_t> EpochFile::do_load() const {
  const auto content = read_file(path_, 32);
  if (!content) {
    if (content.error().code == Errc::not_found) return 0;
    return std::unexpected(content.error());
  }
  const std::string_view text = as_text(*content);
  std::uint32_t counter = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), counter);
  // Guessing a number here would be guessing that no key was used: the camera stops instead.
  if (error != std::errc{} || std::string_view(end, text.data() + text.size()) != "\n")
    return fail(Errc::malformed, "the stored epoch counter is damaged");
  return counter;
}

Result<> EpochFile::do_store(std::uint32_t counter) {
  return write_file_durably(path_, as_bytes(std::format("{}\n", counter)));
}

Result<Bytes> RosterFile::do_load() const { return read_file(path_, protocol::max_control_size); }

Result<> RosterFile::do_store(ByteView message) { return write_file_durably(path_, message); }

}  // namespace sealcam::stream
