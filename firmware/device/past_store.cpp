// SPDX-License-Identifier: Apache-2.0
#include "device/past_store.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/format.hpp"
#include "protocol/frame.hpp"

namespace sealcam::device {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t head_size = 4;
constexpr std::size_t counter_size = 8;  // in names
constexpr std::uint64_t default_limit = 2ULL << 30;
constexpr std::string_view suffix = ".past", kept_prefix = "kept-";

/// Reads up to out.size() bytes; less only at the end of the file.
Result<std::size_t> read_at(int fd, std::uint64_t offset, MutableBytes out, const fs::path& path) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto n = ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("reading kept frames", path);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

/// The size of the item at `offset`; 0 if there is no whole item before `end`.
Result<std::uint64_t> item_size(int fd, std::uint64_t offset, std::uint64_t end, const fs::path& path) {
  std::array<std::byte, head_size> head{};
  const auto read = read_at(fd, offset, head, path);
  if (!read) return std::unexpected(read.error());
  const std::uint64_t size = *read == head_size ? load_be<std::uint32_t>(head) : 0;
  return size > protocol::max_message_size || offset + head_size + size > end ? 0 : size;
}

/// All digits of the number, with zeros in front.
template <class Number>
std::optional<Number> parse_hex(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (text.size() != 2 * sizeof(Number) || error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

/// Paths in a folder; none if there is no folder.
Result<std::vector<fs::path>> paths_in(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) paths.push_back(it->path());
  if (ec && ec != std::errc::no_such_file_or_directory) return fail_errno("listing kept frames", folder, ec.value());
  return paths;
}

/// An unfinished file, as a start finds it: cuts it after the last whole frame.
class Survey {
 public:
  Survey(const protocol::Route& route, const crypto::Verifier& camera) : opener_(route), camera_(camera) {}

  /// Verifies the signatures of the last frames. Returns the number of frames, which may be 0. Errors: io.
  Result<std::uint64_t> cut(int fd, std::uint64_t size, Epoch epoch, Counter first, const fs::path& path) {
    std::vector<std::uint64_t> places{0};
    for (;;) {
      const auto item = item_size(fd, places.back(), size, path);
      if (!item) return std::unexpected(item.error());
      if (*item == 0) break;
      places.push_back(places.back() + head_size + *item);
    }
    std::uint64_t whole = places.size() - 1;
    for (auto i = whole - std::min<std::uint64_t>(whole, PastFolder::doubtful_frames); i < whole; ++i) {
      buffer_.resize(places[i + 1] - places[i] - head_size);
      const auto read = read_at(fd, places[i] + head_size, buffer_, path);
      if (!read) return std::unexpected(read.error());
      const auto frame = protocol::parse_frame(buffer_);
      if (!frame || frame->epoch != epoch || frame->counter.value() != first.value() + i ||
          !opener_.verify(*frame, camera_))
        whole = i;
    }
    if (places[whole] < size && (::ftruncate(fd, static_cast<off_t>(places[whole])) != 0 || ::fsync(fd) != 0))
      return fail_errno("cutting kept frames", path);
    return whole;
  }

 private:
  protocol::FrameOpener opener_;
  const crypto::Verifier& camera_;
  Bytes buffer_;
};

}  // namespace

Result<PastFolder> PastFolder::open(fs::path folder, const PastLimits& limits, const protocol::Route& route,
                                    const crypto::PublicKey& camera, const crypto::Digest& digest) {
  PastFolder store(std::move(folder), limits, digest);
  if (auto r = make_private_folder(store.root_); !r) return std::unexpected(r.error());
  if (limits.bytes == 0) {
    struct statvfs info{};
    if (::statvfs(store.root_.c_str(), &info) != 0) return fail_errno("reading the size of the disk", store.root_);
    store.limits_.bytes = std::min(std::uint64_t{info.f_blocks} * info.f_frsize / 4, default_limit);
  }
  if (auto r = store.list(); !r) return std::unexpected(r.error());
  std::erase(store.to_delete_, store.kept());
  if (auto r = store.settle(); !r) return std::unexpected(r.error());
  if (auto r = store.load(route, camera); !r) return std::unexpected(r.error());
  return store;
}

fs::path PastFolder::kept() const { return root_ / (std::string(kept_prefix) + to_hex(ByteView(digest_).first(8))); }

fs::path PastFolder::folder_of(Epoch epoch) const { return kept() / sealcam::format("{:016x}", epoch.value()); }

fs::path PastFolder::path_of(const File& file) const {
  const auto last = file.finished ? sealcam::format("-{:08x}", file.next - 1) : std::string();
  return folder_of(file.epoch) / sealcam::format("{:08x}{}{}", file.first, last, suffix);
}

/// Finds the folders of all digests, and those that an earlier run did not finish to delete.
Result<> PastFolder::list() {
  const auto paths = paths_in(root_);
  if (!paths) return std::unexpected(paths.error());
  for (const auto& path : *paths) {
    const auto name = path.filename().string();
    if (name.starts_with(kept_prefix)) to_delete_.push_back(path);
    if (!name.starts_with(deleted_prefix)) continue;
    deleted_.push_back(path);
    if (const auto number = parse_hex<std::uint32_t>(std::string_view(name).substr(deleted_prefix.size())))
      next_deleted_ = std::max(next_deleted_, std::uint64_t{*number} + 1);
  }
  return {};
}

Result<> PastFolder::load(const protocol::Route& route, const crypto::PublicKey& camera) {
  const auto verifier = crypto::Verifier::open(camera);
  if (!verifier) return std::unexpected(verifier.error());
  Survey survey(route, *verifier);
  const auto folders = paths_in(kept());
  if (!folders) return std::unexpected(folders.error());
  for (const auto& folder : *folders) {
    const auto epoch = parse_hex<std::uint64_t>(folder.filename().string());
    const auto paths = epoch ? paths_in(folder) : Result<std::vector<fs::path>>();
    if (!paths) return std::unexpected(paths.error());
    for (const auto& path : *paths) {
      // <first>.past or <first>-<last>.past
      const auto name = path.filename().string();
      const auto first = parse_hex<std::uint32_t>(std::string_view(name).substr(0, name.find_first_of("-.")));
      if (!first || !name.ends_with(suffix)) continue;
      const bool unfinished = name.size() == counter_size + suffix.size();
      const auto last = parse_hex<std::uint32_t>(path.stem().string().substr(unfinished ? 0 : counter_size + 1));
      std::error_code ec;
      File file{.epoch = Epoch(*epoch), .first = *first, .next = std::uint64_t{last.value_or(0)} + 1, .finished = true};
      if (unfinished) {
        const UniqueFd fd(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
        const auto frames = survey.cut(fd.get(), fs::file_size(path, ec), file.epoch, Counter(*first), path);
        file.next = *first + frames.value_or(0);
        if (file.next > *first && ::rename(path.c_str(), path_of(file).c_str()) != 0) file.next = *first;
      }
      if (file.next > *first) file.bytes = fs::file_size(path_of(file), ec);
      // An unreadable file costs its own frames only.
      if (!ec && file.bytes > 0) files_.push_back(file);
      else fs::remove(path, ec);
    }
  }
  std::ranges::sort(files_, {}, [](const File& file) { return std::pair(file.epoch, file.first); });
  // Names of a damaged disk: a list with overlaps would make each report malformed.
  for (std::size_t i = 1; i < files_.size();) {
    if (files_[i].epoch == files_[i - 1].epoch && files_[i].first < files_[i - 1].next) forget(i);
    else ++i;
  }
  while (do_ranges().size() > PastRange::max) drop_range();
  return {};
}

std::vector<PastRange> PastFolder::do_ranges() const {
  std::vector<PastRange> ranges;
  for (std::size_t i = 0; i < files_.size(); ++i) {
    const File& file = files_[i];
    if (i == 0 || !file.follows(files_[i - 1])) ranges.push_back({file.epoch, Counter(file.first), {}});
    ranges.back().last = Counter(file.next - 1);
  }
  return ranges;
}

/// The last file gets no more frames.
Result<> PastFolder::finish_file() {
  writing_.reset();
  if (files_.empty() || files_.back().finished) return {};
  const auto path = path_of(files_.back());
  files_.back().finished = true;
  if (::rename(path.c_str(), path_of(files_.back()).c_str()) == 0) return {};
  files_.back().finished = false;
  return fail_errno("keeping frames", path);
}

Result<> PastFolder::begin_file(Epoch epoch, const PastFrame& first, ByteView grants) {
  if (auto r = finish_file(); !r) return r;
  const auto size = head_size + grants.size() + first.message.size();
  if (auto r = make_room(std::max<std::uint64_t>(limits_.file, size)); !r) return r;
  const bool joins = !files_.empty() && files_.back().epoch == epoch && files_.back().next == first.counter.value();
  while (!joins && do_ranges().size() >= PastRange::max) drop_range();
  const auto folder = folder_of(epoch);
  if (!std::ranges::contains(files_, epoch, &File::epoch)) {
    for (const auto& made : {kept(), folder}) {
      if (auto r = make_private_folder(made); !r) return r;
      if (auto r = sync_entries_of(made); !r) return r;
    }
    if (auto r = write_file_durably(folder / "grants", grants); !r) return r;
  }
  const File file{.epoch = epoch, .first = first.counter.value(), .next = first.counter.value()};
  const auto path = path_of(file);
  writing_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!writing_) return fail_errno("keeping frames", path);
  new_name_ = true;
  files_.push_back(file);
  pending_.clear();
  return {};
}

/// Writes `pending_` in one piece.
Result<> PastFolder::flush() {
  if (pending_.empty()) return {};
  const auto path = path_of(files_.back());
  const bool written = write_all(writing_.get(), pending_) && ::fdatasync(writing_.get()) == 0;
  if (!written) return fail_errno("keeping frames", path);
  files_.back().bytes += pending_.size();
  durable_next_ = files_.back().next;
  pending_.clear();
  return std::exchange(new_name_, false) ? sync_entries_of(path) : Result<>();
}

Result<> PastFolder::do_add(Epoch epoch, ByteView grants, std::span<const PastFrame> frames) {
  if (auto r = settle(); !r) return r;
  const auto added = [&]() -> Result<> {
    for (const PastFrame& frame : frames) {
      const bool fits = writing_ && files_.back().epoch == epoch && files_.back().next == frame.counter.value() &&
                        files_.back().bytes + pending_.size() + frame.message.size() < limits_.file;
      if (!fits) {
        if (auto r = flush(); !r) return r;
        if (auto r = begin_file(epoch, frame, grants); !r) return r;
      }
      std::array<std::byte, head_size> head{};
      store_be(head, static_cast<std::uint32_t>(frame.message.size()));
      pending_.insert(pending_.end(), head.begin(), head.end());
      pending_.insert(pending_.end(), frame.message.begin(), frame.message.end());
      files_.back().next = frame.counter.next().value();
    }
    return flush();
  }();
  if (added || !writing_) return added;
  // What follows the durable frames is not known. A later file has the next ones.
  pending_.clear();
  File& file = files_.back();
  file.next = durable_next_;
  const bool cut = file.bytes > 0 && ::ftruncate(writing_.get(), static_cast<off_t>(file.bytes)) == 0;
  writing_.reset();
  if (!cut) (void)delete_file(files_.size() - 1);
  return added;
}

Result<> PastFolder::read_frame(const File& file, std::uint64_t counter, Bytes& out) {
  const auto path = path_of(file);
  const auto damaged = [&] {
    return std::unexpected(located({Errc::malformed, 0, "kept frames are damaged"}, path.native()));
  };
  if (!place_.file || place_.epoch != file.epoch || place_.first != file.first || place_.counter > counter) {
    place_ = {UniqueFd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)), file.epoch, file.first, file.first, 0};
    if (!place_.file) return fail_errno("reading kept frames", path);
  }
  for (;; ++place_.counter) {
    const auto size = item_size(place_.file.get(), place_.offset, file.bytes, path);
    if (!size) return std::unexpected(size.error());
    if (*size == 0) return damaged();
    const auto begin = place_.offset + head_size;
    place_.offset = begin + *size;
    if (place_.counter < counter) continue;
    out.resize(*size);
    if (const auto r = read_at(place_.file.get(), begin, out, path); !r) return std::unexpected(r.error());
    const auto frame = protocol::parse_frame(out);
    if (!frame || frame->epoch != file.epoch || frame->counter.value() != counter) return damaged();
    ++place_.counter;
    return {};
  }
}

Result<> PastFolder::do_grants(Epoch epoch, Bytes& out) {
  auto grants = read_file(folder_of(epoch) / "grants", protocol::max_message_size);
  if (!grants) return std::unexpected(grants.error());
  out = std::move(*grants);
  return {};
}

Result<std::optional<Counter>> PastFolder::do_read(Epoch epoch, Counter from, Bytes& out) {
  const auto file = std::ranges::find_if(
      files_, [&](const File& f) { return f.epoch == epoch && f.next > from.value() && f.bytes > 0; });
  if (file == files_.end()) return std::nullopt;
  const auto counter = std::max(file->first, from.value());
  if (auto r = read_frame(*file, counter, out); !r) {
    const auto index = static_cast<std::size_t>(file - files_.begin());
    if (r.error().code == Errc::malformed) (void)delete_file(index);
    else forget(index);  // a card that fails for a moment costs nothing that the next start can read
    return std::unexpected(r.error());
  }
  return Counter(counter);
}

}  // namespace sealcam::device
