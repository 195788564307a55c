// SPDX-License-Identifier: Apache-2.0
/// The sealed frames that a camera keeps while no broker is reachable.
#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/file.hpp"
#include "base/result.hpp"
#include "crypto/keys.hpp"
#include "device/stores.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::device {

using protocol::Counter;
using protocol::Epoch;
using protocol::PastRange;

/// A sealed frame of one epoch.
struct PastFrame {
  Counter counter;
  ByteView message;
};

/// A ring: the oldest frames make room for new ones. Without a key of a hub, the content opens no picture.
/// Thread-bound.
class PastStore {
 public:
  virtual ~PastStore() = default;
  /// All frames, in ascending order: a new range begins where a counter is missing. At most PastRange::max ranges; the
  /// one with the fewest bytes makes room for another, so that many short pauses do not delete a long one.
  [[nodiscard]] std::vector<PastRange> ranges() const { return do_ranges(); }
  /// Adds frames with ascending counters, greater than all that are stored of the epoch. The epochs ascend, too.
  /// `grants`: the message of the epoch; it is stored before the first frame. Durable when it returns. Errors:
  /// permission, io, exhausted (no room); then none or some of the frames are stored.
  [[nodiscard]] Result<> add(Epoch epoch, ByteView grants, std::span<const PastFrame> frames) {
    return do_add(epoch, grants, frames);
  }
  /// The message. Errors: not_found, permission, io, exhausted (the file was changed).
  [[nodiscard]] Result<> grants(Epoch epoch, Bytes& out) { return do_grants(epoch, out); }
  /// The first frame of the epoch whose counter is `from` or greater. Nothing if there is none. Reading in ascending
  /// order is cheap. Errors: permission, io, malformed (a file was changed). The frames beside the unreadable one are
  /// then left out until the next start, or deleted after malformed, and the next call goes on behind them.
  [[nodiscard]] Result<std::optional<Counter>> read(Epoch epoch, Counter from, Bytes& out) {
    return do_read(epoch, from, out);
  }
  /// Deletes the frames of these epochs, in a time that does not depend on their number. Durable when it returns: no
  /// later start finds them. Errors: permission, io. After an error no call returns the frames, add() fails, and tick()
  /// tries again.
  [[nodiscard]] Result<> remove(std::span<const Epoch> epochs) { return do_remove(epochs); }
  /// Deletes everything, with the errors of remove().
  [[nodiscard]] Result<> clear() { return do_clear(); }
  /// Frames are stored together with this digest. Deletes those with another one, also at the next start, with the
  /// errors of remove().
  [[nodiscard]] Result<> set_digest(const crypto::Digest& digest) { return do_set_digest(digest); }
  /// Frees a part of what was deleted. Call this about ten times a second. Errors: permission, io (call again).
  [[nodiscard]] Result<> tick() { return do_tick(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return do_bytes(); }

 private:
  [[nodiscard]] virtual std::vector<PastRange> do_ranges() const = 0;
  [[nodiscard]] virtual Result<> do_add(Epoch epoch, ByteView grants, std::span<const PastFrame> frames) = 0;
  [[nodiscard]] virtual Result<> do_grants(Epoch epoch, Bytes& out) = 0;
  [[nodiscard]] virtual Result<std::optional<Counter>> do_read(Epoch epoch, Counter from, Bytes& out) = 0;
  [[nodiscard]] virtual Result<> do_remove(std::span<const Epoch> epochs) = 0;
  [[nodiscard]] virtual Result<> do_clear() = 0;
  [[nodiscard]] virtual Result<> do_set_digest(const crypto::Digest& digest) = 0;
  [[nodiscard]] virtual Result<> do_tick() = 0;
  [[nodiscard]] virtual std::uint64_t do_bytes() const noexcept = 0;
};

/// Stores privacy-off only after the deletion of the kept frames is durable. So no power cut brings frames from before
/// privacy back, also if the deletion failed when privacy began. A run without a store deletes the folder of an earlier
/// one, because a later run may send its content. Thread-bound.
class PastPrivacyStore final : public PrivacyStore {
 public:
  /// `past` may be null. Both must outlive the object. `folder`: of the store; empty if there is none on a disk.
  /// store() also has the errors of PastStore::clear() and PastFolder::erase().
  PastPrivacyStore(PrivacyStore& privacy, PastStore* past, std::filesystem::path folder = {})
      : privacy_(privacy), past_(past), folder_(std::move(folder)) {}

 private:
  [[nodiscard]] Result<bool> do_load() const override { return privacy_.load(); }
  Result<> do_store(bool on) override;
  PrivacyStore& privacy_;
  PastStore* past_;
  std::filesystem::path folder_;
};

struct PastLimits {
  std::uint64_t bytes = 0;              ///< of all files; 0: a quarter of the file system, 2 GiB at most
  std::uint64_t file = 4U << 20;        ///< bytes of one file, unless a single frame needs more
  std::uint64_t reserve = 64ULL << 20;  ///< bytes of the file system that stay free
};

/// Files in `kept-<digest>/<epoch>/`: the grants, `<first counter>-<last counter>.past`, and for the file that is being
/// written `<first counter>.past`. Such a file has frames whose counters have no gap, each behind its size (4 bytes,
/// big-endian). Files only grow, and are deleted as a whole, so that each block of the flash is written once. A
/// deletion renames a folder to `deleted-<number>`, and tick() deletes its files.
class PastFolder final : public PastStore {
 public:
  /// Signatures that open() checks at the end of an unfinished file, because a power cut may leave its last group
  /// damaged.
  static constexpr std::size_t doubtful_frames = 256;
  static constexpr std::size_t max_unlinks = 20;  ///< in one call
  /// Then tick() deletes a file: the hubs deleted the keys that open it (R-PREKEY-1).
  static constexpr std::chrono::hours max_age{9 * 24};
  static constexpr unsigned age_interval = 600;  ///< calls of tick() for one look at the age

  /// Makes the folder if it is missing, and deletes frames with another digest. Reads no finished file. Cuts an
  /// unfinished one after its last whole frame with a valid signature, or deletes it. Errors: permission, io, crypto.
  [[nodiscard]] static Result<PastFolder> open(std::filesystem::path folder, const PastLimits& limits,
                                               const protocol::Route& route, const crypto::PublicKey& camera,
                                               const crypto::Digest& digest);
  /// Deletes the folder, for a camera that keeps nothing. Errors: permission, io.
  [[nodiscard]] static Result<> erase(std::filesystem::path folder);

 private:
  struct File {
    Epoch epoch;
    std::uint64_t first = 0, next = 0;  ///< counters; `next` follows the last frame
    std::uint64_t bytes = 0;
    bool finished = false;
    [[nodiscard]] bool follows(const File& other) const noexcept { return epoch == other.epoch && first == other.next; }
  };
  /// Where the next frame of a file begins.
  struct Place {
    UniqueFd file;
    Epoch epoch;
    std::uint64_t first = 0;  ///< of the file
    std::uint64_t counter = 0, offset = 0;
  };
  static constexpr std::string_view deleted_prefix = "deleted-";

  PastFolder(std::filesystem::path folder, const PastLimits& limits, const crypto::Digest& digest)
      : root_(std::move(folder)), limits_(limits), digest_(digest) {}

  [[nodiscard]] std::vector<PastRange> do_ranges() const override;
  [[nodiscard]] Result<> do_add(Epoch epoch, ByteView grants, std::span<const PastFrame> frames) override;
  [[nodiscard]] Result<> do_grants(Epoch epoch, Bytes& out) override;
  [[nodiscard]] Result<std::optional<Counter>> do_read(Epoch epoch, Counter from, Bytes& out) override;
  [[nodiscard]] Result<> do_remove(std::span<const Epoch> epochs) override;
  [[nodiscard]] Result<> do_clear() override;
  [[nodiscard]] Result<> do_set_digest(const crypto::Digest& digest) override;
  [[nodiscard]] Result<> do_tick() override;
  [[nodiscard]] std::uint64_t do_bytes() const noexcept override {
    std::uint64_t sum = 0;
    for (const File& file : files_) sum += file.bytes;
    for (const File& file : dropped_) sum += file.bytes;
    return sum;
  }

  [[nodiscard]] std::filesystem::path kept() const;
  [[nodiscard]] std::filesystem::path folder_of(Epoch epoch) const;
  [[nodiscard]] std::filesystem::path path_of(const File& file) const;
  [[nodiscard]] Result<> list();
  [[nodiscard]] Result<> load(const protocol::Route& route, const crypto::PublicKey& camera);
  [[nodiscard]] Result<> settle();
  [[nodiscard]] Result<> begin_file(Epoch epoch, const PastFrame& first, ByteView grants);
  [[nodiscard]] Result<> finish_file();
  [[nodiscard]] Result<> flush();
  [[nodiscard]] Result<> make_room(std::uint64_t needed);
  [[nodiscard]] Result<> free_some(std::size_t& left);
  [[nodiscard]] Result<> delete_file(std::size_t index);
  [[nodiscard]] Result<> unlink_file(const File& file);
  void drop_range();
  [[nodiscard]] bool too_old(const File& file) const;
  [[nodiscard]] Result<> read_frame(const File& file, std::uint64_t counter, Bytes& out);
  void forget(std::size_t index) {
    if (place_.epoch == files_[index].epoch && place_.first == files_[index].first) place_ = {};
    if (index + 1 == files_.size()) writing_.reset();
    files_.erase(files_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  std::filesystem::path root_;
  PastLimits limits_;
  crypto::Digest digest_;
  std::vector<File> files_;                       ///< ascending by epoch and counter
  std::vector<File> dropped_;                     ///< hidden, to be deleted
  std::vector<std::filesystem::path> to_delete_;  ///< folders to rename; nothing of them is in `files_`
  std::vector<std::filesystem::path> deleted_;    ///< renamed folders, whose files are to be deleted
  std::uint64_t next_deleted_ = 0;
  unsigned ticks_ = 0;
  UniqueFd writing_;                ///< the last file of `files_`, if this object wrote it
  Bytes pending_;                   ///< to write
  bool new_name_ = false;           ///< the name of `writing_` is not durable
  std::uint64_t durable_next_ = 0;  ///< of `writing_`: the counter after its last durable frame
  Place place_;
};

}  // namespace sealcam::device
