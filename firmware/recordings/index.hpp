// SPDX-License-Identifier: Apache-2.0
/// The index of the recordings: an SQLite database in the hub's state folder. It contains only facts that the files
/// contain too, so a missing or damaged index is built again (catalog.hpp).
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "recordings/archive.hpp"
#include "recordings/format.hpp"

namespace sealcam::recordings {

/// The name of a file below the folder of recordings.
struct FileName {
  DeviceId camera;
  std::string day;   ///< see day_name()
  std::string name;  ///< see file_name()
  [[nodiscard]] std::filesystem::path below(const std::filesystem::path& folder) const {
    return folder / camera.to_string() / day / name;
  }
  friend auto operator<=>(const FileName&, const FileName&) = default;
};

struct IndexedFile {
  FileName file;
  FileNumber number;
  Epoch epoch;
  TimeRange time;  ///< from the first to the last frame
  std::uint64_t bytes = 0;
  EndReason reason = EndReason::open;
  CounterRange counters{};  ///< that the file accounts for: its frames, and its gaps; count 0: not known
};

struct IndexedFacts {
  IndexedFile file;
  std::vector<Gap> gaps;
  std::optional<std::vector<Motion>> motion;  ///< nothing: not known yet
};

struct IndexedCamera {
  DeviceId camera;
  TimeRange time;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  EndReason ended = EndReason::open;  ///< of the newest file
};

struct Usage {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
};

/// Thread-safe. Errors of all functions: malformed (damaged; call rebuild()), io (also if the disk is full),
/// permission.
class Index {
 public:
  /// Opens or creates the file. Errors: also malformed if it is damaged, or has the form of another version.
  [[nodiscard]] static Result<std::unique_ptr<Index>> open(const std::filesystem::path& path);
  /// In memory, for a program that reads recordings without a state folder.
  [[nodiscard]] static Result<std::unique_ptr<Index>> open_in_memory();
  Index(const Index&) = delete;
  Index& operator=(const Index&) = delete;
  ~Index();

  /// Deletes the database and creates an empty one.
  [[nodiscard]] Result<> rebuild();
  /// Deletes the files of a database that no program has open. Errors: permission, io.
  [[nodiscard]] static Result<> delete_files(const std::filesystem::path& path);

  /// Adds the file, or replaces its data in the index.
  [[nodiscard]] Result<> put(const IndexedFacts& facts);
  [[nodiscard]] Result<> remove(const FileName& file);
  /// A person or the quota deletes the file: received() still contains its frames, so that they are not requested
  /// again.
  [[nodiscard]] Result<> note_deleted(const FileName& file);
  /// A person deletes this time. Kept frames of it that arrive later are not recorded either.
  [[nodiscard]] Result<> note_erased(const DeviceId& camera, const TimeRange& range);
  /// The first call for an index notes that it does not contain what a person deleted before this time. So it counts as
  /// erased, for all cameras.
  [[nodiscard]] Result<> note_made(CaptureTime now);
  /// The newest ones.
  [[nodiscard]] Result<std::vector<TimeRange>> erased(const DeviceId& camera);

  /// By ascending id.
  [[nodiscard]] Result<std::vector<DeviceId>> cameras();
  /// The same with the sums of their files.
  [[nodiscard]] Result<std::vector<IndexedCamera>> summaries();
  /// The epochs of a camera, the newest one first.
  [[nodiscard]] Result<std::vector<Epoch>> epochs(const DeviceId& camera);
  /// In ascending order. The bytes of a file count for the day on which it begins.
  [[nodiscard]] Result<std::vector<Day>> days(const DeviceId& camera);
  /// Files that overlap the range, in the order of time and number.
  [[nodiscard]] Result<std::vector<IndexedFile>> files(const DeviceId& camera, const TimeRange& range);
  /// Without frames that another file contains.
  [[nodiscard]] Result<std::vector<Gap>> gaps(const DeviceId& camera, const TimeRange& range);
  /// In the order of time.
  [[nodiscard]] Result<std::vector<Motion>> motion(const DeviceId& camera, const TimeRange& range);
  /// The newest file of all cameras whose motion is not known, without files that are being written.
  [[nodiscard]] Result<std::optional<IndexedFile>> without_motion();
  /// Of a file without known motion. Does nothing for an unknown file.
  [[nodiscard]] Result<> put_motion(const FileName& file, const std::vector<Motion>& motion);
  /// The newest file that begins at or before `time`.
  [[nodiscard]] Result<std::optional<IndexedFile>> at_or_before(const DeviceId& camera, CaptureTime time);
  /// The first file by its number of a camera that has at least the average number of bytes: of these, the one that
  /// ended first. So the clock of the hub does not make new files old, and one camera does not delete the files of the
  /// others. Without files that are being written.
  [[nodiscard]] Result<std::optional<IndexedFile>> oldest();
  /// Up to `count` files of all cameras that ended before `limit`, and whose camera has no earlier file that ended
  /// between `limit` and `now`. In the order of number, without files that are being written.
  [[nodiscard]] Result<std::vector<IndexedFile>> aged(CaptureTime limit, CaptureTime now, std::size_t count);
  /// The end of the newest file of all cameras.
  [[nodiscard]] Result<std::optional<CaptureTime>> newest();
  /// Of all cameras, without files that are being written.
  [[nodiscard]] Result<Usage> usage();
  /// The frames of an epoch that complete files account for, without their gaps; also of deleted files.
  [[nodiscard]] Result<CounterSet> received(const DeviceId& camera, Epoch epoch);
  [[nodiscard]] Result<std::uint64_t> files_of_epoch(const DeviceId& camera, Epoch epoch);
  /// 0 if there are none.
  [[nodiscard]] Result<FileNumber> max_number(const DeviceId& camera);

 private:
  struct Database;
  explicit Index(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace sealcam::recordings
