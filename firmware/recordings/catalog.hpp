// SPDX-License-Identifier: Apache-2.0
/// Recordings on a disk that is not trusted: one file, for reading, and the catalog, which compares the folder with the
/// index and reads the facts of the index from the files.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <vector>

#include "base/file.hpp"
#include "recordings/format.hpp"
#include "recordings/index.hpp"

namespace sealcam::recordings {

/// Thread-bound. Move-only.
class RecordingFile {
 public:
  /// Does not follow links. Errors: not_found, permission, io, malformed (not a regular file, or larger than
  /// max_file_size).
  [[nodiscard]] static Result<RecordingFile> open(const std::filesystem::path& path);
  /// At the time of open().
  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Reads up to out.size() bytes; less only at the end of the file. Errors: io.
  [[nodiscard]] Result<MutableBytes> read(std::uint64_t offset, MutableBytes out) const;

  struct Header {
    FileHeader header;
    std::uint64_t size = 0;
    crypto::Digest digest{};
  };
  /// Errors: malformed, unsupported, io, crypto.
  [[nodiscard]] Result<Header> read_header() const;
  /// The receipt at the end of the file, checked with the key of a hub on the roster. Errors: not_found (the file does
  /// not end with one), malformed (also if its groups do not fill the file), bad_signature, wrong_key (a hub that is
  /// not on the roster), io.
  struct SignedReceipt {
    Receipt receipt;
    DeviceId hub;
  };
  [[nodiscard]] Result<SignedReceipt> read_receipt(const Header& header, const VerifiedHeader& verified) const;

 private:
  RecordingFile(std::filesystem::path path, UniqueFd file, std::uint64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}
  std::filesystem::path path_;
  UniqueFd file_;
  std::uint64_t size_;
};

struct Item {
  std::uint64_t offset = 0;
  ItemHead head;
  ByteView bytes;  ///< valid until the next call; empty with Content::skip
};
enum class Content : std::uint8_t { skip, read };

/// Reads the items behind the header, in order. Thread-bound. `file` must outlive it.
class ItemReader {
 public:
  ItemReader(const RecordingFile& file, std::uint64_t begin, std::uint64_t end)
      : file_(&file), offset_(begin), end_(end) {}
  /// Nothing at the end. Errors: malformed (the next item is not valid, or is truncated), io. offset() is then its
  /// place.
  [[nodiscard]] Result<std::optional<Item>> next(Content content);
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }

 private:
  /// Makes `size` bytes at offset_ available, or all to the end.
  [[nodiscard]] Result<ByteView> window(std::size_t size);

  const RecordingFile* file_;
  std::uint64_t offset_, end_;
  Bytes buffer_;
  std::uint64_t buffer_at_ = 0;
  std::size_t buffered_ = 0;
};

/// The groups of a file without a receipt, by the form of its items. Checks no signature.
struct Scan {
  std::vector<Group> groups;         ///< without digests
  std::uint64_t end = 0;             ///< of the last whole frame
  std::optional<std::uint64_t> bad;  ///< place of the first item that is not valid or not whole
};
/// Makes it in several steps, because a file may be large. Thread-bound. `file` must outlive the object.
class Scanner {
 public:
  /// `header_size`: of the first item.
  Scanner(const RecordingFile& file, std::uint64_t header_size)
      : reader_(file, header_size, file.size()), found_{.groups = {}, .end = header_size, .bad = {}} {}
  /// Reads at least this number of bytes. Returns true at the end. Errors: io.
  [[nodiscard]] Result<bool> step(std::uint64_t bytes);
  /// After the end.
  [[nodiscard]] Scan take() noexcept { return std::move(found_); }

 private:
  [[nodiscard]] Result<bool> next();
  ItemReader reader_;
  Scan found_;
  std::optional<Item> mark_;  ///< without a frame yet
};

/// Header, groups and receipt of one file.
struct FileContent {
  RecordingFile::Header header;
  VerifiedHeader verified;
  std::vector<Group> groups;
  std::optional<Receipt> receipt;
  DeviceId hub;           ///< that signed the receipt
  std::uint64_t end = 0;  ///< of the last whole frame
};

/// Opens files of one account and checks their headers and receipts. Keeps the last header of each camera in
/// memory, because all files of an epoch have the same one. Thread-bound.
class FileInspector {
 public:
  explicit FileInspector(const AccountId& account) : account_(account) {}
  /// Does not verify frames. Errors: malformed, unsupported, bad_signature, wrong_key (another account or camera, or a
  /// receipt of a hub that is not on the roster), io, not_found, permission, crypto.
  [[nodiscard]] Result<FileContent> read(const RecordingFile& file, const DeviceId& camera);
  /// The same for a file whose receipt is not valid.
  [[nodiscard]] Result<FileContent> read_without_receipt(const RecordingFile& file, const DeviceId& camera);
  /// The same without the groups of a file without a receipt, for which the whole file is read.
  [[nodiscard]] Result<FileContent> read_ends(const RecordingFile& file, const DeviceId& camera);
  using Facts = IndexedFacts;
  /// The data of the index, without motion. A file without a receipt has the reason `open`. Errors: also malformed (no
  /// frame).
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
