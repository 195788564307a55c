// SPDX-License-Identifier: Apache-2.0
/// One file with recordings, for reading. The disk that holds it is not trusted.
#pragma once

#include <filesystem>
#include <optional>

#include "base/file.hpp"
#include "recordings/format.hpp"

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
  /// Nothing at the end. Errors: malformed (the next item is not valid, or is cut short), io. offset() is then its
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
/// `header_size`: of the first item. Errors: io.
[[nodiscard]] Result<Scan> scan(const RecordingFile& file, std::uint64_t header_size);

}  // namespace sealcam::recordings
