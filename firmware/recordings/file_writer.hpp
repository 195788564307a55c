// SPDX-License-Identifier: Apache-2.0
/// Writes one file with recordings.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/file.hpp"
#include "crypto/keys.hpp"
#include "device/hub_stores.hpp"
#include "protocol/frame.hpp"
#include "recordings/catalog.hpp"

namespace sealcam::recordings {

using device::RecordedEpoch;

/// One file. All content up to the last completed group survives a power cut. Thread-bound.
class FileWriter {
 public:
  /// A group is also made durable after this time.
  static constexpr std::chrono::seconds max_unsynced{4};

  /// Creates the file in its folder. `first`: the counter after the last one of the file before, if that file ended
  /// for its limits. Errors: permission, io, not_found (the folder of recordings is missing).
  [[nodiscard]] static Result<std::unique_ptr<FileWriter>> create(const std::filesystem::path& folder,
                                                                  std::shared_ptr<const RecordedEpoch> epoch,
                                                                  FileNumber number, CaptureTime now,
                                                                  std::optional<Counter> first);
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;
  ~FileWriter() = default;

  /// Whether this frame belongs into a new file: five minutes, a limit, or a step of the wall clock.
  [[nodiscard]] bool is_full(protocol::FrameKind kind, std::size_t size, CaptureTime now) const noexcept;
  /// Adds a key frame or delta that passed every check. `now` is its arrival, `mark` what its camera signed. After an
  /// error, destroy the object; the file needs complete(). Errors: permission, io.
  [[nodiscard]] Result<> add(protocol::FrameKind kind, Counter counter, ByteView message, CaptureTime now,
                             const PictureMark& mark);
  /// The hub received this frame and does not store it.
  void leave_out(Counter counter);
  /// Writes what is not written and makes it durable.
  [[nodiscard]] Result<> sync();
  /// Adds the receipt. The file must have a frame. Do not use the object afterwards. Errors: permission, io, crypto.
  [[nodiscard]] Result<> finish(EndReason reason, const crypto::SigningKey& hub);

  [[nodiscard]] bool empty() const noexcept { return groups_.empty(); }
  /// Whether content is not durable.
  [[nodiscard]] bool unsynced() const noexcept { return unsynced_; }
  [[nodiscard]] const RecordedEpoch& epoch() const noexcept { return *epoch_; }
  [[nodiscard]] Counter next_counter() const { return Counter(accounted_.last() + 1); }
  /// The counters of stored frames, and of those that are left out.
  [[nodiscard]] const CounterSet& accounted() const noexcept { return accounted_; }
  /// For the index; the reason is that of finish().
  [[nodiscard]] FileInspector::Facts facts() const;
  [[nodiscard]] const FileName& name() const noexcept { return name_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return size_; }
  [[nodiscard]] CaptureTime newest() const noexcept { return end_; }
  [[nodiscard]] std::uint64_t synced_groups() const noexcept { return syncs_; }

 private:
  FileWriter(std::filesystem::path folder, std::shared_ptr<const RecordedEpoch> epoch, FileNumber number)
      : folder_(std::move(folder)), epoch_(std::move(epoch)), number_(number) {}
  [[nodiscard]] Result<> begin(CaptureTime now);
  [[nodiscard]] Result<> end_group();
  [[nodiscard]] Result<> append(ByteView bytes);
  [[nodiscard]] Result<> write_pending();
  [[nodiscard]] std::vector<CounterRange> gaps() const;
  /// At least as many as either list of the receipt gets.
  [[nodiscard]] std::size_t range_count() const noexcept { return left_out_.range_count() + accounted_.range_count(); }

  std::filesystem::path folder_;
  std::shared_ptr<const RecordedEpoch> epoch_;
  FileNumber number_;
  FileName name_;
  UniqueFd file_;
  bool entries_durable_ = false;
  Bytes pending_;
  bool unsynced_ = false;
  CaptureTime synced_at_;
  std::unique_ptr<crypto::Sha256> hash_;  ///< of the group
  crypto::Digest header_digest_{};
  std::vector<Group> groups_;
  std::vector<std::uint64_t> first_counters_;  ///< of the groups
  CounterSet accounted_;                       ///< stored and left out
  CounterSet left_out_;
  std::vector<std::uint64_t> unmarked_;  ///< left out since the last mark
  std::optional<std::uint64_t> first_;
  Counter newest_;  ///< of the stored frames
  PicturePlaces places_;
  MotionSpans motion_;
  std::uint64_t size_ = 0;
  std::uint64_t syncs_ = 0;
  CaptureTime end_;
  EndReason reason_ = EndReason::open;
};

}  // namespace sealcam::recordings
