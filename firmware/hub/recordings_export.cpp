// SPDX-License-Identifier: Apache-2.0
#include <sysexits.h>
#include <unistd.h>

#include <csignal>

#include "base/file.hpp"
#include "base/format.hpp"
#include "device/program.hpp"
#include "hal/modules/modules.hpp"
#include "hub/commands.hpp"
#include "hub/web/live_stream.hpp"

namespace sealcam::hub {

namespace {

volatile std::sig_atomic_t interrupted = 0;

/// Writes pictures into one MP4 file. A pause of the recording becomes one second.
class Exporter {
 public:
  explicit Exporter(OutputFile file, Log& log) : module_(log), file_(std::move(file)) {}

  /// False if the file has to end before this picture, because the size changed.
  Result<bool> add(const recordings::RecordedPicture& picture) {
    const auto& facts = picture.facts;
    const hal::Size size{facts.width, facts.height};
    if (!muxer_) {
      auto muxer = module_.open_mp4_muxer(size);
      if (!muxer) return std::unexpected(muxer.error());
      muxer_ = std::move(*muxer);
      size_ = size;
    }
    if (size != size_) return false;
    if (last_ && facts.at.since_epoch - last_->since_epoch > recordings::Archive::max_pause)
      left_out_ += facts.at.since_epoch - last_->since_epoch - std::chrono::seconds(1);
    last_ = facts.at;
    const auto at = timeline_.next(facts.captured, BootTime{facts.at.since_epoch - left_out_});
    const auto out = muxer_->write({.bytes = picture.access_unit, .at = at, .key = facts.key});
    if (!out) return std::unexpected(out.error());
    if (auto r = write(*out); !r) return std::unexpected(r.error());
    ++pictures_;
    duration_ = at;
    return true;
  }
  Result<> finish() {
    const auto out = muxer_->finish();
    if (!out) return std::unexpected(out.error());
    if (auto r = write(*out); !r) return r;
    return file_.publish();
  }
  [[nodiscard]] std::uint64_t pictures() const noexcept { return pictures_; }
  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(duration_).count(); }
  [[nodiscard]] const std::optional<CaptureTime>& last() const noexcept { return last_; }

 private:
  Result<> write(ByteView content) {
    if (!write_all(file_.descriptor(), content)) return fail(Errc::io, "writing the file", errno);
    return {};
  }

  hal::modules::MediaModule module_;
  OutputFile file_;
  std::unique_ptr<hal::Mp4Muxer> muxer_;
  hal::Size size_;
  Timeline timeline_;
  std::optional<CaptureTime> last_;
  std::chrono::microseconds left_out_{0}, duration_{0};
  std::uint64_t pictures_ = 0;
};

void show(const recordings::TimeRange& range, CaptureTime at, bool end) {
  static const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const auto all = std::chrono::duration<double>(range.end.since_epoch - range.begin.since_epoch).count();
  const auto done = std::chrono::duration<double>(at.since_epoch - range.begin.since_epoch).count();
  if (terminal && all > 0) sealcam::print(stderr, "\r{:.0f} %{}", std::min(100.0, 100 * done / all), end ? "\n" : "  ");
}

}  // namespace

int export_recording(const RecordingsOptions& options, Log& log) {
  const auto from = parse_local_time(options.from, log);
  const auto to = from ? parse_local_time(options.to, log) : std::nullopt;
  if (!from || !to) return EX_USAGE;
  if (*to <= *from) {
    log.error("the end of the range is not after its beginning");
    return EX_USAGE;
  }
  auto opened = open_recordings(options, log);
  if (!opened) return opened.error();
  const auto camera = select_camera(*opened->archive, options.camera, log);
  if (!camera) return EX_NOINPUT;
  const recordings::TimeRange range{*from, *to};
  auto reader = opened->archive->read(*camera, range);
  if (!reader) return fail_with(reader.error(), log);
  auto file = OutputFile::open(options.output);
  if (!file) return fail_with(file.error(), log);
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted = 1; };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);

  Exporter exporter(std::move(*file), log);
  std::string note;
  for (;;) {
    if (interrupted != 0) {
      log.error("interrupted; the file is not written");
      return device::exit_code(Errc::canceled);
    }
    const auto picture = (*reader)->next();
    if (!picture) return fail_with(picture.error(), log);
    if (!*picture) break;
    const auto added = exporter.add(**picture);
    if (!added) return fail_with(located(added.error(), options.output), log);
    if (!*added) {
      note = sealcam::format("the size of the picture changed; export the rest with the time {}",
                             web::rfc3339((*picture)->facts.at).value_or("?"));
      break;
    }
    if (exporter.pictures() % 300 == 0) show(range, (*picture)->facts.at, false);
  }
  if (exporter.pictures() == 0) {
    const bool locked = (*reader)->skipped().no_key > 0;
    log.error("no picture in this time can be opened{}", locked ? ": this hub has no key for it" : "");
    return EX_NOINPUT;
  }
  if (auto r = exporter.finish(); !r) return fail_with(located(r.error(), options.output), log);
  show(range, range.end, true);
  log.info("{} pictures, {:.1f} s", exporter.pictures(), exporter.seconds());
  if (!note.empty()) log.warning("{}", note);
  const auto& skipped = (*reader)->skipped();
  if (skipped.altered > 0)
    log.warning("{} frames are left out because they were altered; see 'sealcam-hub recordings verify'",
                skipped.altered);
  if (skipped.no_key > 0) log.warning("{} files are left out because this hub has no key for them", skipped.no_key);
  return EX_OK;
}

}  // namespace sealcam::hub
