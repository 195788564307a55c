// SPDX-License-Identifier: Apache-2.0
#include "owner/write_output.hpp"

#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::owner {

Outcome<> write_output(const std::filesystem::path& path, ByteView content) {
  const auto written = [&]() -> Result<> {
    auto file = OutputFile::open(path);
    if (!file) return std::unexpected(file.error());
    if (!write_all(file->descriptor(), content)) return fail_errno("writing a file", path);
    return file->publish();
  }();
  if (!written) return failure(written.error(), sealcam::format("cannot write {}", path.string()));
  return {};
}

}  // namespace sealcam::owner
