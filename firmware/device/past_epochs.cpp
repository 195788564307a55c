// SPDX-License-Identifier: Apache-2.0
#include "device/past_epochs.hpp"

#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::device {

namespace {

std::filesystem::path note_of(const std::filesystem::path& folder) { return folder / "epoch"; }
std::string note(std::uint32_t reserved) { return sealcam::format("{}\n", reserved); }

}  // namespace

bool PastEpochStore::covers(const std::filesystem::path& folder, std::uint32_t reserved) {
  const auto content = read_file(note_of(folder), 32);
  return content && as_text(*content) == note(reserved);
}

Result<std::uint32_t> PastEpochStore::do_reserve(std::uint32_t count) {
  auto first = epochs_.reserve(count);
  if (first && !folder_.empty()) (void)write_file_durably(note_of(folder_), as_bytes(note(*first + count - 1)));
  return first;
}

}  // namespace sealcam::device
