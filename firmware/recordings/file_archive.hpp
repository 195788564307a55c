// SPDX-License-Identifier: Apache-2.0
/// The Archive on files, index and keys, and the source of its pictures, which it verifies and opens.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "protocol/frame.hpp"
#include "recordings/catalog.hpp"
#include "recordings/index.hpp"
#include "recordings/key_folder.hpp"
#include "recordings/recorder.hpp"

namespace sealcam::recordings {

/// Deletes a file, its entry in the index, and its base key if no other file of the index needs it. `key_in_use`: the
/// recorder, or a file that is not in the index, may need the key. Deletes the key before the file, so that a crash
/// leaves no key without a file. Errors: permission, io.
[[nodiscard]] Result<> delete_recording(const std::filesystem::path& folder, Index& index, const KeyFolder& keys,
                                        const IndexedFile& file, bool key_in_use);

/// The pictures of one file, from one of its groups on. Thread-bound.
class PictureSource {
 public:
  /// Errors: not_found (the file, or its base key), malformed, bad_signature, wrong_key, not_decryptable (the key), io.
  [[nodiscard]] static Result<std::unique_ptr<PictureSource>> open(const std::filesystem::path& folder,
                                                                   FileInspector& inspector, const KeyFolder* keys,
                                                                   const FileName& name);

  /// Continues with the newest group that begins at or before `time`, and that a decoder can begin with; else with the
  /// first such group.
  void seek(CaptureTime time);
  struct Opened {
    PictureFacts facts;
    Counter depends;
    ByteView access_unit;  ///< valid until the next call
  };
  /// The next picture that was not altered. Nothing at the end. Errors: io. `which` keys: reads the first frame of each
  /// group only.
  [[nodiscard]] Result<std::optional<Opened>> next(Pictures which);
  [[nodiscard]] std::uint64_t altered() const noexcept { return altered_; }

 private:
  PictureSource(RecordingFile file, FileContent content, crypto::sframe::OpeningKey key)
      : file_(std::move(file)),
        content_(std::move(content)),
        key_(std::move(key)),
        opener_(content_.verified.route),
        reader_(file_, content_.header.size, content_.end) {}
  [[nodiscard]] std::uint64_t place(std::size_t group) const;
  void go_to(std::size_t group);
  void go_to_next_group();
  [[nodiscard]] std::optional<Opened> open_frame(ByteView message);
  [[nodiscard]] CaptureTime at(CaptureTime captured);

  RecordingFile file_;
  FileContent content_;
  crypto::sframe::OpeningKey key_;
  protocol::FrameOpener opener_;
  ItemReader reader_;
  std::size_t next_group_ = 0;  ///< whose mark was not read yet
  PicturePlaces places_;
  Bytes plain_;
  std::uint64_t altered_ = 0;
};

[[nodiscard]] std::unique_ptr<PictureReader> make_reader(std::filesystem::path folder, const AccountId& account,
                                                         const KeyFolder* keys, std::vector<IndexedFile> files,
                                                         const TimeRange& range, Pictures which);

/// The newest picture of the file at or before `time`. Errors: those of PictureSource, not_found.
[[nodiscard]] Result<Moment> find_moment(const std::filesystem::path& folder, const AccountId& account,
                                         const KeyFolder* keys, const IndexedFile& file, CaptureTime time,
                                         Pictures which);
/// The motion in a file that `hub` completed. Compares each group with the digest in the receipt of that hub, which is
/// ten times faster than the camera's signatures. Shows nothing: pictures are verified when a reader opens them.
/// Errors: not_found (the file, or its base key), malformed (also without a receipt, or of another hub), bad_signature,
/// wrong_key, not_decryptable (the key), io, permission.
[[nodiscard]] Result<std::vector<Motion>> scan_motion(const std::filesystem::path& folder, FileInspector& inspector,
                                                      const KeyFolder& keys, const FileName& name, const DeviceId& hub);

/// Thread-safe.
class FileArchive final : public Archive {
 public:
  /// `keys` null: no picture can be opened. `recorder` null: erase() deletes by itself, except files without a
  /// receipt. All references and pointers must outlive the archive.
  FileArchive(std::filesystem::path folder, const AccountId& account, Index& index, const KeyFolder* keys,
              Recorder* recorder)
      : folder_(std::move(folder)), account_(account), index_(index), keys_(keys), recorder_(recorder) {}

 private:
  Result<std::vector<CameraSummary>> do_cameras() override;
  Result<std::vector<Day>> do_days(const DeviceId& camera) override;
  Result<RecordedTimeline> do_timeline(const DeviceId& camera, const TimeRange& range) override;
  Result<std::vector<Motion>> do_motion(const DeviceId& camera, const TimeRange& range, std::size_t limit) override;
  Result<std::unique_ptr<PictureReader>> do_read(const DeviceId& camera, const TimeRange& range,
                                                 Pictures which) override;
  Result<Moment> do_picture_at(const DeviceId& camera, CaptureTime time, Pictures which) override;
  Result<Erased> do_erase(const DeviceId& camera, const TimeRange& range) override;
  Status do_status() override;

  std::filesystem::path folder_;
  AccountId account_;
  Index& index_;
  const KeyFolder* keys_;
  Recorder* recorder_;
};

/// Adds all files of the folder to an empty index, without changing a file. For programs without the hub's index.
/// Errors: those of list_files() and of the index. Files that cannot be read are skipped and logged.
[[nodiscard]] Result<> fill_index(Index& index, const std::filesystem::path& folder, const AccountId& account,
                                  Log& log);

}  // namespace sealcam::recordings
