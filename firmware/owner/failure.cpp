// SPDX-License-Identifier: Apache-2.0
#include "owner/failure.hpp"

#include "base/file.hpp"
#include "base/format.hpp"
#include "device/program.hpp"

namespace sealcam::owner {

std::unexpected<Failure> failure(const Error& error, std::string_view problem, std::string_view next_step) {
  Error shown = error;
  if (shown.place && problem.contains(*shown.place)) shown.place = nullptr;  // names the file once
  return failure(device::exit_code(error.code),
                 sealcam::format("{}: {}{}{}", problem, to_string(shown), next_step.empty() ? "" : "; ", next_step));
}

Outcome<Bytes> read(const std::filesystem::path& path, std::size_t limit, std::string_view next_step) {
  auto content = read_file(path, limit);
  if (!content) return failure(content.error(), sealcam::format("cannot read {}", path.string()), next_step);
  return std::move(*content);
}

Outcome<> write(const std::filesystem::path& path, ByteView content) {
  if (auto r = write_file_durably(path, content); !r)
    return failure(r.error(), sealcam::format("cannot write {}", path.string()));
  return {};
}

}  // namespace sealcam::owner
