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
#include "recordings/file_completion.hpp"
#include "recordings/key_folder.hpp"
#include "recordings/listing.hpp"
#include "recordings/recorder_past.hpp"

namespace sealcam::recordings {

struct RecorderConfig {
  std::filesystem::path folder;
  std::uint64_t quota = 0;           ///< bytes; 0: none
  std::chrono::days max_age{0};      ///< older files are deleted; 0: none
  std::uint64_t reserve = 1U << 30;  ///< free bytes of the file system that stay free
  /// A call of the disk that takes longer is reported.
  std::chrono::milliseconds max_call = std::chrono::seconds(10);
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

/// Thread-bound, except status().
class RecorderCore {
 public:
  static constexpr std::chrono::seconds retry_time{5};
  static constexpr std::chrono::seconds past_idle{10};          ///< then the file of kept frames ends
  static constexpr std::chrono::seconds past_file_interval{2};  ///< between two such files of one camera
  static constexpr std::chrono::seconds index_interval{5};      ///< between two updates of a file that is being written
  static constexpr int max_deletions = 20;                      ///< at once, because frames wait meanwhile

  RecorderCore(RecorderConfig config, const RecorderDependencies& deps);

  /// Lists the folder. Files that are new, or that are not complete, become work for tick().
  void start();
  /// A key frame or delta that passed every check, and arrived at `now`.
  void add(const std::shared_ptr<const RecordedEpoch>& epoch, protocol::FrameKind kind, Counter counter,
           ByteView message, CaptureTime now, const PictureMark& mark = {});
  /// The camera keeps these frames, and no others. Those that the hub does not have become past_gaps() to request.
  void list_past(const DeviceId& camera, const std::vector<protocol::PastRange>& ranges);
  /// A frame that the camera kept, and that passed every check. `time`: its place on the timeline. It waits for the
  /// frames before it, for a short time. A frame that is not listed, or that the hub has, is ignored. So each frame is
  /// in one file only. Of a report or a still, only the counter is recorded.
  void add_past(const std::shared_ptr<const RecordedEpoch>& epoch, protocol::FrameKind kind, Counter counter,
                ByteView message, CaptureTime time, const PictureMark& mark);
  /// At most PastRange::max ranges, ascending, about a second old. Thread-safe.
  [[nodiscard]] std::vector<protocol::PastRange> past_gaps(const DeviceId& camera) const;
  /// Another frame that the hub received.
  void leave_out(const RecordedEpoch& epoch, Counter counter);
  /// Frames of this camera were dropped before add().
  void note_dropped(const DeviceId& camera, std::uint64_t frames);
  /// Ends the file of a camera.
  void end(const DeviceId& camera, EndReason reason);
  void end_all(EndReason reason);
  [[nodiscard]] Result<Erased> erase(const DeviceId& camera, const TimeRange& range);
  /// Makes content durable, ends files of silent cameras, completes, indexes or scans one file, and deletes old files.
  /// Call it each second. Returns true if more work waits.
  bool tick();
  void set_modes(const std::vector<std::pair<DeviceId, Mode>>& modes);

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
    MonotonicTime added{};                  ///< the newest frame
    std::optional<MonotonicTime> unsynced;  ///< content since then is not durable
  };

  struct Damaged {  ///< a file that is not valid, and is not changed
    std::optional<Epoch> epoch;
    std::uint64_t bytes = 0;
  };

  struct Fault {
    RecorderFault kind{};
    std::string text;
    CaptureTime since;
  };
  struct SteadyClock {  ///< since the wall clock runs without a step
    CaptureTime wall;
    BootTime boot;
    CaptureTime newest;  ///< recording from before
    CaptureTime last;    ///< newest recording at the last cleaning
  };

  [[nodiscard]] bool may_try() const { return !fault_ || deps_.clock.monotonic() >= *retry_; }
  [[nodiscard]] Result<> list_folder();
  void end_listing(const std::vector<ListedFile>& files);
  void flush_tracks();
  void drop(Track& track);
  [[nodiscard]] Result<> begin_epoch(Track& track, const std::shared_ptr<const RecordedEpoch>& epoch);
  [[nodiscard]] Result<> begin_file(Track& track, CaptureTime now);
  [[nodiscard]] Result<std::unique_ptr<FileWriter>> create_file(const std::shared_ptr<const RecordedEpoch>& epoch,
                                                                CaptureTime time, std::optional<Counter> first);
  void load_past(const DeviceId& camera, PastWork& past);
  [[nodiscard]] bool has_past(const DeviceId& camera, const PastTrack::Key& key) const;
  void take_live(const DeviceId& camera, const PastTrack::Key& key);
  void file_past(PastWork& past);
  [[nodiscard]] Result<> write_past(PastWork& past, bool begins, Counter counter, const PastTrack::Frame& frame);
  [[nodiscard]] Result<> finish_past(PastWork& past);
  void abandon_past(PastWork& past);
  void end_past(const DeviceId& camera);
  void tick_past();
  void publish_gaps(const DeviceId& camera, const PastWork& past);
  /// Calls `call` with each file that is being written.
  template <class Call>
  void for_each_file(Call call) const {
    for (const auto& [camera, track] : tracks_)
      if (track.file) call(*track.file);
    for (const auto& [camera, past] : past_)
      if (past.file) call(*past.file);
  }
  [[nodiscard]] Result<> check_folder();
  [[nodiscard]] Result<FileNumber> next_number(const DeviceId& camera, Track& track);
  [[nodiscard]] Result<> finish_file(Track& track, EndReason reason);
  void abandon(Track& track);
  void on_synced(Track& track);
  bool put(const FileInspector::Facts& facts);  ///< false: the index failed
  [[nodiscard]] Result<> make_space();
  [[nodiscard]] Result<std::uint64_t> delete_oldest();
  [[nodiscard]] std::optional<IndexedFile> oldest_damaged() const;
  void delete_aged();
  [[nodiscard]] Result<> remove(const IndexedFile& file);
  [[nodiscard]] std::vector<IndexedFile> unindexed(const DeviceId& camera, const TimeRange& range);
  void forget(const FileName& name);
  void remove_unneeded_keys();
  [[nodiscard]] bool indexed() const { return listed_ && work_.empty(); }
  [[nodiscard]] bool may_need(const DeviceId& camera, Epoch epoch) const;
  [[nodiscard]] bool epoch_in_use(const DeviceId& camera, Epoch epoch) const;
  void complete_next();
  void scan_next();
  void check_index(const Error& error);
  void set_fault(RecorderFault fault, const Error& error);
  void set_fault(const Error& error);
  void clear_fault();
  void set_index_fault(const Error& error);
  void clear_index_fault();
  void show_fault();
  void update_usage();

  RecorderConfig config_;
  RecorderDependencies deps_;
  FileInspector inspector_;
  std::map<DeviceId, Track> tracks_;
  std::map<DeviceId, PastWork> past_;
  std::deque<FileName> work_;                                      ///< to complete, or to add to the index
  std::optional<FileCompletion> completion_;                       ///< of the first one
  std::deque<FileName> later_;                                     ///< the disk failed; again after a minute
  std::map<FileName, Damaged> damaged_;                            ///< reported, and left as they are
  std::set<std::pair<DeviceId, Epoch>> unneeded_keys_;             ///< unless a file needs them that is not indexed
  std::optional<std::pair<std::uint64_t, std::uint64_t>> device_;  ///< file system and inode of the folder
  std::optional<Bytes> marker_;                                    ///< of the folder, also after it is mounted again
  bool motion_unknown_ = true;                                     ///< files in the index may lack their motion
  std::optional<FolderListing> listing_;
  bool listed_ = false;
  MonotonicTime next_listing_{};
  std::optional<Fault> fault_;        ///< nothing is recorded until retry_
  std::optional<Fault> index_fault_;  ///< recording continues, and the files are added to the index later
  std::optional<Fault> slow_;
  std::optional<MonotonicTime> retry_;
  std::optional<MonotonicTime> slow_until_;
  MonotonicTime next_cleaning_{};
  bool more_to_delete_ = false;
  std::uint64_t written_ = 0;   ///< bytes since the last look at the free space
  std::int64_t allowance_ = 1;  ///< bytes of recordings that may be deleted for the reserve, if positive
  std::optional<SteadyClock> steady_;
  Usage usage_;               ///< of the index
  mutable std::mutex mutex_;  ///< guards the members below
  Status status_;
  std::map<DeviceId, MonotonicTime> stored_at_;
  std::map<DeviceId, std::vector<protocol::PastRange>> past_gaps_;
};

}  // namespace sealcam::recordings
