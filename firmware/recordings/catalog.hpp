// SPDX-License-Identifier: Apache-2.0
/// Compares the folder of recordings with the index, and reads the facts of the index from the files.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <vector>

#include "recordings/index.hpp"
#include "recordings/recording_file.hpp"

namespace sealcam::recordings {

struct ListedFile {
  FileName file;
  std::uint64_t bytes = 0;
};
/// The files whose path has the form of a recording, in ascending order. Other names are skipped. Errors: not_found
/// (the folder), permission, io.
[[nodiscard]] Result<std::vector<ListedFile>> list_files(const std::filesystem::path& folder);
/// The same for one camera. No recordings are not an error. Errors: permission, io.
[[nodiscard]] Result<std::vector<ListedFile>> list_files(const std::filesystem::path& folder, const DeviceId& camera);

struct Difference {
  std::vector<ListedFile> unknown;  ///< not in the index, or with another size, or without a receipt
  std::vector<FileName> missing;    ///< in the index, but not in the folder
};
[[nodiscard]] Result<Difference> compare(Index& index, const std::vector<ListedFile>& files);

/// Header, groups and receipt of one file.
struct FileContent {
  RecordingFile::Header header;
  VerifiedHeader verified;
  std::vector<Group> groups;
  std::optional<Receipt> receipt;
  DeviceId hub;           ///< that signed the receipt
  std::uint64_t end = 0;  ///< of the last whole frame
};

/// Opens files of one account and checks their headers and receipts. Remembers the last header of each camera, because
/// all files of an epoch have the same one. Thread-bound.
class FileInspector {
 public:
  explicit FileInspector(const AccountId& account) : account_(account) {}
  /// Does not verify frames. Errors: malformed, unsupported, bad_signature, wrong_key (another account or camera, or a
  /// receipt of a hub that is not on the roster), io, not_found, permission, crypto.
  [[nodiscard]] Result<FileContent> read(const RecordingFile& file, const DeviceId& camera);
  /// The same for a file whose receipt is not valid.
  [[nodiscard]] Result<FileContent> read_without_receipt(const RecordingFile& file, const DeviceId& camera);
  struct Facts {
    IndexedFile file;
    std::vector<Gap> gaps;
  };
  /// What the index stores. A file without a receipt has the reason `open`. Errors: also malformed (no frame).
  [[nodiscard]] Result<Facts> inspect(const std::filesystem::path& folder, const FileName& name);

 private:
  struct Known {
    FileHeader header;
    protocol::Roster roster;
    protocol::Grants grants;
  };
  [[nodiscard]] Result<FileContent> begin(const RecordingFile& file, const DeviceId& camera);
  [[nodiscard]] static Result<FileContent> scanned(const RecordingFile& file, FileContent content);
  [[nodiscard]] Result<VerifiedHeader> verify(const FileHeader& header, const DeviceId& camera);
  AccountId account_;
  std::map<DeviceId, Known> known_;
};

/// Gaps with the times of the groups around them. `first_counter` returns the counter of the first frame of a group, or
/// nothing if it cannot be read. `end`: time of the last frame.
template <class FirstCounter>
[[nodiscard]] std::vector<Gap> locate(const std::vector<CounterRange>& gaps, Epoch epoch,
                                      const std::vector<Group>& groups, CaptureTime end, FirstCounter first_counter) {
  std::vector<Gap> located;
  for (const auto& gap : gaps) {
    std::size_t low = 0, high = groups.size();  // the last group that begins before the gap is in [low, high)
    while (high - low > 1) {
      const auto middle = low + (high - low) / 2;
      const std::optional<std::uint64_t> counter = first_counter(middle);
      (counter && *counter < gap.first ? low : high) = middle;
    }
    located.push_back({.time = {groups[low].time, high < groups.size() ? groups[high].time : end},
                       .epoch = epoch,
                       .first = Counter(gap.first),
                       .frames = gap.count});
  }
  return located;
}

/// The first frame of a group that begins at this place. Errors: malformed, io.
[[nodiscard]] Result<FrameFacts> first_frame(const RecordingFile& file, std::uint64_t group);

}  // namespace sealcam::recordings
