// SPDX-License-Identifier: Apache-2.0
/// What the recorder does, without its thread and queue: files, keys, index, space, and behavior after faults.
#pragma once

#include <chrono>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "base/log.hpp"
#include "recordings/file_writer.hpp"
#include "recordings/key_folder.hpp"

namespace sealcam::recordings {

struct RecorderConfig {
  std::filesystem::path folder;
  std::uint64_t quota = 0;           ///< bytes; 0: none
  std::chrono::days max_age{0};      ///< older files are deleted; 0: none
  std::uint64_t reserve = 1U << 30;  ///< free bytes of the file system that stay free
};

/// All references must outlive the recorder.
struct RecorderDependencies {
  Index& index;
  const KeyFolder& keys;
  crypto::SigningKey hub;
  AccountId account;
  const Clock& clock;
  Log& log;
};

/// Deletes a file, its entry in the index, and its base key if no other file needs it. `key_in_use`: the recorder needs
/// the key. Deletes the key before the file, so that a crash leaves no key without a file. Errors: permission, io.
[[nodiscard]] Result<> delete_recording(const std::filesystem::path& folder, Index& index, const KeyFolder& keys,
                                        const IndexedFile& file, bool key_in_use);

/// Thread-bound, except status().
class RecorderCore {
 public:
  static constexpr std::chrono::seconds retry_time{5};
  static constexpr std::chrono::seconds index_interval{5};  ///< between two updates of a file that is being written

  RecorderCore(RecorderConfig config, const RecorderDependencies& deps);

  /// Lists the folder. Files that are new, or that are not complete, become work for tick().
  void start();
  /// A key frame or delta that passed every check, and arrived at `now`.
  void add(const std::shared_ptr<const RecordedEpoch>& epoch, protocol::FrameKind kind, Counter counter,
           ByteView message, CaptureTime now, const PictureMark& mark = {});
  /// Another frame that the hub received.
  void leave_out(const RecordedEpoch& epoch, Counter counter);
  /// Frames of this camera were dropped before add().
  void note_dropped(const DeviceId& camera, std::uint64_t frames);
  /// Ends the file of a camera.
  void end(const DeviceId& camera, EndReason reason);
  void end_all(EndReason reason);
  [[nodiscard]] Result<Erased> erase(const DeviceId& camera, const TimeRange& range);
  /// Completes, indexes or scans one file, deletes old files. Returns true if more work waits.
  bool tick();
  void set_modes(std::vector<std::pair<DeviceId, Mode>> modes);

  /// Thread-safe.
  [[nodiscard]] Status status() const;

 private:
  struct Track {
    std::shared_ptr<const RecordedEpoch> epoch;
    std::unique_ptr<FileWriter> file;
    std::optional<FileNumber> number;  ///< of the newest file
    std::optional<Counter> next;       ///< after a file that ended for its limits
    std::vector<Counter> left_out;     ///< before the next file begins
    bool wait_for_key = false;
    std::uint64_t synced_groups = 0;
    MonotonicTime indexed{};
  };

  /// Since the wall clock runs without a step.
  struct SteadyClock {
    CaptureTime wall;
    BootTime boot;
    CaptureTime newest;  ///< recording from before
    CaptureTime last;    ///< newest recording at the last cleaning
  };

  [[nodiscard]] bool may_try() const { return !fault_ || deps_.clock.monotonic() >= *retry_; }
  void drop(Track& track);
  [[nodiscard]] Result<> begin_epoch(Track& track, const std::shared_ptr<const RecordedEpoch>& epoch);
  [[nodiscard]] Result<> begin_file(Track& track, CaptureTime now);
  [[nodiscard]] Result<> check_folder();
  [[nodiscard]] Result<FileNumber> next_number(const DeviceId& camera, Track& track);
  [[nodiscard]] Result<> finish_file(Track& track, EndReason reason);
  void abandon(Track& track);
  void on_synced(Track& track);
  void put(const FileInspector::Facts& facts);
  [[nodiscard]] Result<> make_space();
  [[nodiscard]] Result<bool> delete_oldest();
  void delete_aged();
  [[nodiscard]] bool epoch_in_use(const DeviceId& camera, Epoch epoch) const;
  void complete_next();
  void scan_next();
  void check_index(const Error& error);
  void set_fault(RecorderFault fault, const Error& error);
  void set_fault(const Error& error);
  void clear_fault();
  void reset_fault();  ///< of status_; requires the lock
  void update_usage();

  RecorderConfig config_;
  RecorderDependencies deps_;
  FileInspector inspector_;
  std::map<DeviceId, Track> tracks_;
  std::deque<FileName> work_;                                      ///< to complete, or to add to the index
  std::deque<FileName> later_;                                     ///< the disk failed; again after a minute
  std::set<FileName> damaged_;                                     ///< reported, and left as they are
  std::optional<std::pair<std::uint64_t, std::uint64_t>> device_;  ///< file system and inode of the folder
  bool motion_unknown_ = true;                                     ///< files in the index may lack their motion
  bool listed_ = false;
  std::optional<RecorderFault> fault_;
  std::optional<MonotonicTime> retry_;
  std::optional<MonotonicTime> slow_until_;
  MonotonicTime next_cleaning_{};
  std::optional<SteadyClock> steady_;
  Usage usage_;  ///< of the index
  mutable std::mutex mutex_;
  Status status_;
};

}  // namespace sealcam::recordings
